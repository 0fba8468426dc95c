//! The same lines from a C compiler: a program that does not compile if a type differs, and prints what it measures.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// What a program made of these lines prints, or what the compiler had against it.
pub fn printed(lines: &[String], include: &Path) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("ledger.c"), folder.path().join("ledger"));
    std::fs::write(&source, program_of(lines)).unwrap();
    let output = Command::new("cc")
        .args(["-std=gnu11", "-Wall", "-Werror", "-I"])
        .args([include, &source])
        .arg("-o")
        .arg(&program)
        .output()
        .expect("a C compiler called cc (Debian: gcc)");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

fn program_of(lines: &[String]) -> String {
    let mut asserts = String::new();
    let mut prints = String::new();
    let mut same = |what: &str, expression: &str, c: &str| {
        writeln!(
            asserts,
            "_Static_assert(__builtin_types_compatible_p(__typeof__({expression}), {c}), \"the type of {what}\");"
        )
        .unwrap();
    };
    for line in lines {
        let (kind, rest) = line.split_once(' ').unwrap();
        let (name, rest) = rest.split_once(' ').unwrap();
        match kind {
            "entry" => {
                same(name, &format!("&{name}"), rest);
                writeln!(prints, "printf(\"entry %s {rest}\\n\", TKR_ENTRY_SYMBOL);")
            }
            "type" => {
                same(name, &format!("*({name} *)0"), rest);
                writeln!(prints, "printf(\"{line}\\n\");")
            }
            "const" => writeln!(prints, "printf(\"const {name} %lld\\n\", (long long){name});"),
            "struct" => writeln!(
                prints,
                "printf(\"struct {name} %zu %zu\\n\", sizeof({name}), _Alignof({name}));"
            ),
            "field" => {
                let [field, _, _, c] = rest.splitn(4, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
                let member = format!("(({name} *)0)->{field}");
                same(&format!("{name}.{field}"), &member, c);
                writeln!(
                    prints,
                    "printf(\"field {name} {field} %zu %zu {c}\\n\", offsetof({name}, {field}), sizeof({member}));"
                )
            }
            other => panic!("{other}: {line}"),
        }
        .unwrap();
    }
    format!("#include <stdio.h>\n#include <tickerd.h>\n{asserts}\nint main(void) {{\n{prints}return 0;\n}}\n")
}
