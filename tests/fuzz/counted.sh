#!/bin/sh
# Cargo's RUSTC_WORKSPACE_WRAPPER while fuzz targets are built: has tickerd's own crates count their branches and what they compare, as
# cargo-fuzz does without a sanitizer. Other makers' crates are as they always are; what of them is generic is counted where it is used.
compiler=$1
shift
case " $* " in
  *" --crate-name build_script"* | *" --crate-type proc-macro "*) exec "$compiler" "$@" ;;
esac
exec "$compiler" "$@" -Cpasses=sancov-module --cfg fuzzing -Cdebug-assertions -Coverflow-checks \
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
