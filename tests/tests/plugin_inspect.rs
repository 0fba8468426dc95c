//! `tickerd plugin inspect` and `list`: what a file is, without running it.

use tempfile::TempDir;
use tickerd_tests::author::{compile, plugin, plugin_with, program};
use tickerd_tests::daemon::target;
use tickerd_tests::{json, raw_c};

#[tokio::test]
async fn a_library_is_told_from_its_file_alone() {
    let answer = plugin(&["inspect", "tickerd_feed_sim", "--json"]).await;
    assert_eq!(answer.code, 0, "{answer:?}");
    let facts = answer.json();
    let file = target().join("libtickerd_feed_sim.so");
    assert_eq!(facts["file"], file.to_str().unwrap());
    assert_eq!(facts["bytes"], std::fs::metadata(&file).unwrap().len());
    let sum = std::process::Command::new("sha256sum").arg(&file).output().unwrap();
    assert!(String::from_utf8(sum.stdout).unwrap().starts_with(facts["sha256"].as_str().unwrap()));
    assert_eq!((&facts["runs_as"], &facts["elf"]["kind"]), (&json!("library"), &json!("library")));
    assert_eq!(facts["meta"]["abi"], "1.0");
    assert_eq!(facts["meta"]["feeds"], json!(["org.tickerd.sim"]));
    assert_eq!(facts["elf"]["exports"]["names"], json!(["tickerd_plugin_v1"]));
    let libraries = facts["libraries"].as_array().unwrap();
    assert!(libraries.iter().any(|library| library["name"] == "libc.so.6" && library["path"].is_string()));
    assert_eq!(facts["problems"], json!([]));
    assert!(facts["described"].is_null(), "its code was not asked");
    for (word, what) in
        [("glibc_needed", &facts["elf"]["glibc_needed"]), ("glibc_here", &facts["glibc_here"])]
    {
        assert!(what.as_str().is_some_and(|version| version.starts_with("2.")), "{word}: {facts}");
    }
}

#[tokio::test]
async fn its_code_is_asked_only_on_request() {
    let folder = TempDir::new().unwrap();
    let library = folder.path().join("marks.so");
    let mark = folder.path().join("mark");
    let source = format!(
        "#include <stdio.h>\n__attribute__((constructor)) static void run(void) {{ FILE *f = fopen(\"{}\", \"w\"); if (f) fclose(f); }}\n\
         const void *tickerd_plugin_v1(void) {{ return 0; }}\n",
        mark.display()
    );
    compile(&library, &source, &[]);
    let library = library.to_str().unwrap();
    let answer = plugin(&["inspect", library]).await;
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(!mark.exists(), "a constructor ran");
    let answer = plugin(&["inspect", library, "--load"]).await;
    assert!(answer.code == 1 && mark.exists(), "{answer:?}");
    assert!(answer.out.contains("it cannot be loaded") && answer.out.contains("answered NULL"), "{answer:?}");

    for (feed, default) in [("crypto", "kraken"), ("weather", "open-meteo")] {
        let answer = plugin(&["inspect", &format!("tickerd_feed_{feed}"), "--load"]).await;
        let is_it = |line: &&str| line.trim_start().starts_with("provider ");
        let provider = answer.out.lines().find(is_it).unwrap();
        assert!(provider.ends_with(&format!(" = \"{default}\"")), "{provider}");
    }
    let answer = plugin(&["inspect", "tickerd_feed_sim", "--load"]).await;
    for said in [
        "org.tickerd.sim (the one that a daemon runs)",
        "polled every 1000 ms, at most every 10 ms",
        "trade   event One trade, simulated. {",
        "seed              integer or null",
    ] {
        assert!(answer.out.contains(said), "{said}: {}", answer.out);
    }
}

#[tokio::test]
async fn what_is_in_the_way_is_told_with_its_remedy() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut foreign = std::fs::read(raw_c("good")).unwrap();
    foreign[18..20].copy_from_slice(&183u16.to_ne_bytes());
    std::fs::write(path("foreign.so"), foreign).unwrap();
    std::fs::write(path("text.so"), "not a library\n").unwrap();
    std::fs::write(path("empty.so"), "").unwrap();
    let whole = std::fs::read(raw_c("good")).unwrap();
    std::fs::write(path("cut.so"), &whole[..2000]).unwrap();
    compile(&path("libgone.so"), "int gone(void) { return 1; }", &["-Wl,-soname,libgone.so.1"]);
    let here = format!("-L{}", folder.path().display());
    compile(
        &path("needs.so"),
        "int gone(void);\nconst void *tickerd_plugin_v1(void) { gone(); return 0; }",
        &[&here, "-lgone"],
    );
    std::fs::remove_file(path("libgone.so")).unwrap();
    compile(
        &path("others.so"),
        "int helper(void) { return 1; }\nconst void *tickerd_plugin_v1(void) { return 0; }",
        &[],
    );
    program(folder.path(), "script", "#!/no/such/interpreter -x\n");
    for (name, code, says) in [
        ("foreign.so", 1, "it is for aarch64 (64 bits, little endian); this machine is "),
        ("text.so", 1, "it is no ELF file: build it again"),
        ("empty.so", 1, "the file is empty"),
        ("cut.so", 1, "broken or cut off ELF file"),
        ("needs.so", 1, "this machine has no libgone.so.1: install what has it"),
        ("others.so", 0, "it exports helper, which nobody needs"),
        ("script", 1, "/no/such/interpreter, is not here: install it"),
    ] {
        let answer = plugin(&["inspect", path(name).to_str().unwrap()]).await;
        assert!(answer.code == code && answer.out.contains(says), "{name}: {answer:?}");
    }
    let no_entry = raw_c("no_entry");
    let answer = plugin(&["inspect", no_entry.to_str().unwrap()]).await;
    assert!(
        answer.code == 1 && answer.out.contains("it does not export tickerd_plugin_v1: use the SDK's"),
        "{answer:?}"
    );
    let answer = plugin(&["inspect", "tickerd_feed_simm"]).await;
    assert!(answer.code == 1 && answer.err.contains("did you mean tickerd_feed_sim"), "{answer:?}");
}

#[tokio::test]
async fn the_folders_are_listed_with_what_was_left_out() {
    let folder = TempDir::new().unwrap();
    std::fs::copy(raw_c("good"), folder.path().join("libmine.so")).unwrap();
    std::fs::copy(raw_c("no_entry"), folder.path().join("other.so")).unwrap();
    let environment = [("TICKERD_PLUGIN_PATH", folder.path().to_str().unwrap())];
    let answer = plugin_with(&["list", "--json"], &environment).await;
    assert_eq!(answer.code, 0, "{answer:?}");
    let listing = answer.json();
    let named = |name: &str| {
        listing["plugins"].as_array().unwrap().iter().find(|plugin| plugin["name"] == *name).cloned()
    };
    assert_eq!(named("mine").unwrap()["kind"], "library");
    let sim = named("tickerd_feed_sim").unwrap();
    assert_eq!((&sim["abi"], &sim["feeds"]), (&json!("1.0"), &json!(["org.tickerd.sim"])));
    assert_eq!(named("tickerd_feed_replay").unwrap()["kind"], "program");
    assert_eq!(named("other"), None);
    let answer = plugin_with(&["list"], &environment).await;
    assert!(answer.out.contains("other.so: it does not export tickerd_plugin_v1"), "{answer:?}");
    assert!(answer.out.contains("/usr/lib/tickerd/plugins ("), "{answer:?}");
}
