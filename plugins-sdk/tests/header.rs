//! The C header: generated from `src/abi.rs`, and what C and C++ compilers say to it.
//!
//! After a change of `src/abi.rs`, `TICKERD_BLESS=1 cargo test -p tickerd-sdk --test header` writes the header anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use tickerd_sdk::abi::*;

const PRELUDE: &str = "\
/* tickerd's plugin ABI 1.0. Generated from plugins-sdk/src/abi.rs; do not edit.
 *
 * A plugin is a shared library that exports one function, tickerd_plugin_v1. It is compiled with this header alone and
 * links against nothing of tickerd's. Released members never move, change or vanish within major 1.
 *
 *  - Growth: every struct starts with struct_size and is reached by pointer. Later versions append members; either side
 *    takes smaller and larger structs. Touch a member younger than 1.0 only if TKR_HAS says so.
 *  - Ownership: each side frees only what it allocated. Arguments live until the call returns; descriptors live as long
 *    as the process. No memory changes owner.
 *  - Threads: one feed thread per instance calls create, then poll again and again or run once, then destroy, never two
 *    at once. Those calls may block. What may be called from elsewhere says [any thread].
 *  - Text is UTF-8. With a length beside it, it is not NUL-ended; without, it is.
 *  - No exception or longjmp may cross a call, in either direction. Leave signal handlers, the working directory, the
 *    environment, the locale and stdout alone.
 */

#ifndef TICKERD_H
#define TICKERD_H
";

const MACROS: &str = "
/* Opaque: the plugin allocates it in create and frees it in destroy. */
typedef struct tkr_feed tkr_feed;

#ifdef _WIN32
#define TKR_EXPORT __declspec(dllexport)
#else
#define TKR_EXPORT __attribute__((visibility(\"default\")))
#endif

/* The name of the one function a plugin exports; the major version is part of it. */
#define TKR_ENTRY_SYMBOL \"tickerd_plugin_v1\"

/* Whether the struct behind p reaches to member m and m is set: the only legal way to touch a member added after 1.0. */
#define TKR_HAS(p, T, m) ((p)->struct_size >= offsetof(T, m) + sizeof((p)->m) && (p)->m != 0)
";

const ENTRY: &str = "\
/* What a plugin exports: its descriptor. [any thread] Pure: no threads, no I/O; never NULL. */
TKR_EXPORT const tkr_plugin *tickerd_plugin_v1(void);

#ifdef __cplusplus
}
#endif

/* Says the plugin's version and the ids of its feeds, 1 to 8 string literals, where tickerd finds them without running
 * the plugin. Once per plugin, in one C or C++ file, beside the entry:
 *
 *   TKR_META(\"1.0.0\", \"org.example.stocks\", \"org.example.trades\");
 *
 * Optional, and worth its line: tickerd plugin inspect reads it from the file. The same version and ids stand in
 * tkr_plugin and tkr_feed_type. What is written is the section .tickerd.meta with one line of JSON:
 * {\"abi\":\"1.0\",\"version\":\"1.0.0\",\"feeds\":[\"org.example.stocks\",\"org.example.trades\"]}. A NUL may follow it.
 * It outlives strip; and --gc-sections too, where the compiler has the attribute retain (GCC 11, Clang 13). Without
 * ELF there is no such section, and nothing is written. */
#define TKR_META(version, ...) \\
  TKR_META_JSON(\"{\\\"abi\\\":\\\"1.\" TKR_META_TEXT(TKR_ABI_MINOR) \"\\\",\\\"version\\\":\\\"\" version \"\\\",\\\"feeds\\\":[\" \\
                TKR_META_IDS(__VA_ARGS__) \"]}\")

/* The same with the JSON as one string literal, for a plugin with more than 8 feeds. */
#if defined(__ELF__)
#define TKR_META_JSON(json) TKR_META_KEPT static const char tkr_meta[] = json
#else
#define TKR_META_JSON(json) extern const char tkr_meta[sizeof(json)]
#endif

/* Parts of TKR_META. */
#define TKR_META_KEPT __attribute__((section(\".tickerd.meta\"), used))
#ifdef __has_attribute
#if __has_attribute(retain)
#undef TKR_META_KEPT
#define TKR_META_KEPT __attribute__((section(\".tickerd.meta\"), used, retain))
#endif
#endif
#define TKR_META_TEXT(number) TKR_META_TEXT_(number)
#define TKR_META_TEXT_(number) #number
#define TKR_META_IDS(...) \\
  TKR_META_PICK(__VA_ARGS__, TKR_META_8, TKR_META_7, TKR_META_6, TKR_META_5, TKR_META_4, TKR_META_3, TKR_META_2, \\
                TKR_META_1, none)(__VA_ARGS__)
#define TKR_META_PICK(a, b, c, d, e, f, g, h, pick, ...) pick
#define TKR_META_1(id) \"\\\"\" id \"\\\"\"
#define TKR_META_2(id, ...) TKR_META_1(id) \",\" TKR_META_1(__VA_ARGS__)
#define TKR_META_3(id, ...) TKR_META_1(id) \",\" TKR_META_2(__VA_ARGS__)
#define TKR_META_4(id, ...) TKR_META_1(id) \",\" TKR_META_3(__VA_ARGS__)
#define TKR_META_5(id, ...) TKR_META_1(id) \",\" TKR_META_4(__VA_ARGS__)
#define TKR_META_6(id, ...) TKR_META_1(id) \",\" TKR_META_5(__VA_ARGS__)
#define TKR_META_7(id, ...) TKR_META_1(id) \",\" TKR_META_6(__VA_ARGS__)
#define TKR_META_8(id, ...) TKR_META_1(id) \",\" TKR_META_7(__VA_ARGS__)
";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The layout, as the C compiler must see it too.
fn asserts() -> String {
    let mut out = String::from(
        "#if UINTPTR_MAX == UINT64_MAX\n\
         #if defined(__cplusplus) && __cplusplus >= 201103L\n#define TKR_ASSERT(x) static_assert(x, \"tickerd ABI 1.0\")\n\
         #elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L\n\
         #define TKR_ASSERT(x) _Static_assert(x, \"tickerd ABI 1.0\")\n#endif\n#endif\n#ifdef TKR_ASSERT\n",
    );
    macro_rules! layout {
        ($ty:ty, $c:literal: $($field:ident)*) => {
            out += &format!("TKR_ASSERT(sizeof({}) == {});\n", $c, size_of::<$ty>());
            $(out += &format!("TKR_ASSERT(offsetof({}, {}) == {});\n", $c, stringify!($field),
                std::mem::offset_of!($ty, $field));)*
        };
    }
    layout!(TkrSample, "tkr_sample": topic event value source_time_unix_ms);
    layout!(TkrEventType, "tkr_event_type": event_class name description value_schema);
    layout!(TkrHost, "tkr_host": version instance emit log set_error should_stop heartbeat health retire now_unix_ms
        sleep_ms get_extension);
    layout!(TkrFeedType, "tkr_feed_type": id config_schema event_types default_poll_ms min_poll_ms create poll run
        interrupt destroy get_extension);
    layout!(TkrPlugin, "tkr_plugin": min_host_minor feed_types version sdk);
    out + "#undef TKR_ASSERT\n#endif\n\n#endif /* TICKERD_H */\n"
}

fn generated() -> String {
    let renames = [
        ("TkrStatus", "tkr_status"),
        ("TkrFeed", "tkr_feed"),
        ("TkrSample", "tkr_sample"),
        ("TkrEventType", "tkr_event_type"),
        ("TkrHost", "tkr_host"),
        ("TkrFeedType", "tkr_feed_type"),
        ("TkrPlugin", "tkr_plugin"),
    ];
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        // A struct whose callbacks take the struct itself needs its tag.
        style: cbindgen::Style::Both,
        cpp_compat: false,
        no_includes: true,
        sys_includes: vec!["stddef.h".to_owned(), "stdint.h".to_owned()],
        header: Some(PRELUDE.to_owned()),
        after_includes: Some(format!("{MACROS}\n#ifdef __cplusplus\nextern \"C\" {{\n#endif")),
        trailer: Some(format!("{ENTRY}\n{}", asserts())),
        documentation_style: cbindgen::DocumentationStyle::C99,
        usize_is_size_t: true,
        line_length: 110,
        tab_width: 2,
        ..cbindgen::Config::default()
    };
    config.export.rename = renames.map(|(rust, c)| (rust.to_owned(), c.to_owned())).into();
    config.export.include = renames.map(|(rust, _)| rust.to_owned()).into();
    config.export.exclude = vec!["TkrEntry".to_owned()];
    let mut out = Vec::new();
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(root().join("src/abi.rs"))
        .generate()
        .expect("src/abi.rs makes a header")
        .write(&mut out);
    let header = String::from_utf8(out).expect("a header is text");
    // A negative constant needs its parentheses: `x -TKR_OK` must not become `x --1`.
    let lines = header.lines().map(|line| match line.split_once(" -") {
        Some((define, number)) if define.starts_with("#define") => format!("{define} (-{number})\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

fn compile(compiler: &str, flags: &[&str], source: &Path, out: &Path) {
    let output = Command::new(compiler)
        .args(flags)
        .args(["-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden", "-I"])
        .arg(root().join("include"))
        .arg("-o")
        .arg(out)
        .arg(source)
        .output()
        .unwrap_or_else(|e| panic!("{compiler}: {e}; install a C and C++ compiler"));
    assert!(output.status.success(), "{compiler} {flags:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn header_says_what_the_rust_types_say() {
    let path = root().join("include/tickerd.h");
    let generated = generated();
    if std::env::var_os("TICKERD_BLESS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/tickerd.h differs from src/abi.rs; run: TICKERD_BLESS=1 cargo test -p tickerd-sdk --test header"
    );
    for needed in ["TKR_HAS", "_Static_assert", "#define TKR_OK 0", "typedef int32_t tkr_status"] {
        assert!(committed.contains(needed), "{needed} is missing");
    }
}

#[test]
fn header_compiles_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("empty.c");
    std::fs::write(&source, "#include <tickerd.h>\n#include <tickerd.h>\nextern int unused;\n").unwrap();
    let cpp = dir.path().join("empty.cpp");
    std::fs::copy(&source, &cpp).unwrap();
    let out = dir.path().join("out.so");
    compile("cc", &["-std=c99"], &source, &out);
    compile("cc", &["-std=c11", "-pedantic"], &source, &out);
    compile("c++", &["-std=c++17", "-pedantic"], &cpp, &out);
}

#[test]
fn a_c_plugin_links_and_emits() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("libticks.so");
    compile("cc", &["-std=c11", "-pedantic"], &root().join("tests/ticks.c"), &out);
    // SAFETY: the library is the one just built from tests/ticks.c, and its entry has the ABI's type.
    #[expect(unsafe_code, reason = "loads the C plugin")]
    let entry = unsafe {
        let library = Box::leak(Box::new(libloading::Library::new(&out).unwrap()));
        *library.get::<extern "C" fn() -> *const TkrPlugin>(ENTRY_SYMBOL.to_bytes_with_nul()).unwrap()
    };
    let test = tickerd_sdk::testing::TestHost::new();
    let mut feed = test.load(entry, "org.example.ticks", "{}").unwrap();
    feed.poll().unwrap();
    feed.poll().unwrap();
    let counts: Vec<_> = test.samples().into_iter().map(|s| (s.topic, s.event, s.json)).collect();
    let expect = |n| ("clock".to_owned(), "tick".to_owned(), format!("{{\"n\":{n}}}"));
    assert_eq!(counts, [expect(1), expect(2)]);

    let (status, text) = test.load(entry, "org.example.ticks", "[]").err().unwrap();
    assert_eq!((status, text.as_str()), (TKR_ERR_CONFIG, "the configuration must be an object"));
}
