//! `conf.d` beside the file: what is laid over what, and in which file a mistake is told.

use super::*;

use tempfile::TempDir;

/// A configuration folder with these files, and the path of `tickerd.toml`.
fn folder(files: &[(&str, &str)]) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("conf.d")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let file = folder.path().join("tickerd.toml");
    (folder, file)
}

fn load(file: &Path, env: &[(&str, &str)]) -> Result<Config, Problems> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(file), env, &Overrides::default())
}

const FEED: &str = "[[feed]]\nname = \"NAME\"\nplugin = \"p\"\n";

#[test]
fn later_files_win_and_lists_of_tables_grow() {
    let feed = |name: &str| FEED.replace("NAME", name);
    let main = format!(
        "[server]\nlisten = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\nshards = 1\ncompression = true\n\
         [bars]\nkeep = {{ \"10s\" = \"1h\" }}\n{}",
        feed("main")
    );
    let (ten, nine) = (
        format!("[server]\nshards = 10\nlisten = [\"127.0.0.1:3\"]\n{}", feed("ten")),
        format!(
            "[server]\nshards = 9\ndrain = \"9s\"\n[server.compression]\nlevel = 9\n[server.limits]\ntopics = 9\n\
             [bars]\nkeep = {{ \"1m\" = \"2h\" }}\n{}",
            feed("nine")
        ),
    );
    let (folder, file) = folder(&[
        ("tickerd.toml", main.as_str()),
        ("conf.d/10.toml", ten.as_str()),
        ("conf.d/09.toml", nine.as_str()),
        ("conf.d/.hidden.toml", "nonsense"),
        ("conf.d/old.toml~", "nonsense"),
        ("conf.d/README", "nonsense"),
    ]);
    let config = load(&file, &[]).unwrap();
    assert_eq!(config.server.listen, [tcp("127.0.0.1:3").into()]);
    assert_eq!((config.server.shards, config.server.drain), (10, Duration::from_secs(9)));
    assert_eq!(config.server.compression.map(|settings| settings.level), Some(9));
    assert_eq!(config.server.limits.topics, 9);
    let names: Vec<&str> = config.feeds.iter().map(|feed| feed.name.as_str()).collect();
    assert_eq!(names, ["main", "nine", "ten"]);
    assert!(config.feeds.iter().all(|feed| feed.base_dir == folder.path()));
    let keep = Keep { period: Duration::from_secs(60), age: Duration::from_secs(7_200) };
    assert_eq!(config.bars.keep, [keep], "a table of free keys is one value");
    // The environment wins over all files.
    assert_eq!(load(&file, &[("TICKERD_SERVER__SHARDS", "3")]).unwrap().server.shards, 3);
    let files: Vec<_> = ["tickerd.toml", "conf.d/09.toml", "conf.d/10.toml"].into();
    assert_eq!(files_of(&file), files.iter().map(|name| folder.path().join(name)).collect::<Vec<_>>());
}

#[test]
fn a_mistake_is_told_in_the_file_it_is_in() {
    let (_folder, file) = folder(&[
        ("tickerd.toml", "[server]\nshards = -1\n[[feed]]\nname = \"a\"\nplugin = \"p\""),
        ("conf.d/a.toml", "[[feed]]\nname = \"a\"\nplugin = \"p\"\n"),
        ("conf.d/b.toml", "[server]\nheartbeat = 15s\nlisten = [\"8425\"]"),
        ("conf.d/c.toml", "[[topic]]\nname = \"a.x\"\npresense = true"),
    ]);
    let message = load(&file, &[]).unwrap_err().to_string();
    for part in [
        "tickerd.toml:2:10: server.shards = -1",
        "conf.d/a.toml:2:8: feed[1].name = \"a\": another feed has this name",
        "conf.d/b.toml:2:13: `15s` is not a TOML value",
        "conf.d/b.toml:3:11: server.listen[0] = \"8425\"",
        "conf.d/c.toml:2:8: topic[0].name",
        "conf.d/c.toml:3:1: topic[0].presense",
        "3 | presense = …\n",
        "6 problems",
    ] {
        assert!(message.contains(part), "lacks {part}\n{message}");
    }
    let order: Vec<_> = ["tickerd.toml:2", "a.toml:2", "b.toml:2", "b.toml:3", "c.toml:2", "c.toml:3"]
        .map(|place| message.find(place).unwrap())
        .into();
    assert!(order.is_sorted(), "{message}");
}

#[test]
fn what_is_no_toml_is_told_of_every_file() {
    let (_folder, file) = folder(&[
        ("tickerd.toml", "[server"),
        ("conf.d/a.toml", "[history\n"),
        ("conf.d/b.toml", "shards = 1 ]"),
    ]);
    let message = load(&file, &[]).unwrap_err().to_string();
    for part in ["tickerd.toml:1:", "conf.d/a.toml:1:", "conf.d/b.toml:1:", "3 problems"] {
        assert!(message.contains(part), "lacks {part}\n{message}");
    }
}

#[test]
fn files_that_cannot_be_read_are_told_with_the_others() {
    let (folder, file) = folder(&[("tickerd.toml", "[server]\nshards = -1\n")]);
    std::fs::create_dir(folder.path().join("conf.d/x.toml")).unwrap();
    std::fs::write(folder.path().join("conf.d/y.toml"), b"\xff").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("conf.d/z.toml")).unwrap();
    let message = load(&file, &[]).unwrap_err().to_string();
    for part in
        ["x.toml: this is a folder", "y.toml: line 1 is not valid UTF-8", "z.toml: the file cannot be read"]
    {
        assert!(message.contains(part), "lacks {part}\n{message}");
    }
    assert!(message.contains("server.shards") && message.contains("4 problems"), "{message}");
}

/// Goal: a value that a later file replaces is no more shown than one that counts.
#[test]
fn a_replaced_secret_is_not_shown() {
    let (_folder, file) = folder(&[
        ("tickerd.toml", "[server]\nsigning = { key = \"CANARY\", kee = 1 }\n"),
        ("conf.d/a.toml", "[server.signing]\nkey = { file = \"/k\" }\n"),
    ]);
    let message = load(&file, &[]).unwrap_err().to_string();
    assert!(message.contains("tickerd.toml:2:") && !message.contains("CANARY"), "{message}");
}

/// Goal: what lies in `conf.d` is never lost silently. Method: what may be there in its place.
#[test]
fn a_folder_that_cannot_be_read_is_told() {
    let (folder, file) = folder(&[("tickerd.toml", "[server]\nshards = 1\n")]);
    let beside = folder.path().join("conf.d");
    std::fs::remove_dir(&beside).unwrap();
    assert!(load(&file, &[]).is_ok(), "there need not be one");
    std::os::unix::fs::symlink("gone", &beside).unwrap();
    let message = load(&file, &[]).unwrap_err().to_string();
    assert!(message.contains("conf.d: the folder cannot be read: No such file"), "{message}");
    std::fs::create_dir(folder.path().join("gone")).unwrap();
    std::fs::write(folder.path().join("gone/a.toml"), "[server]\nshards = 2\n").unwrap();
    assert_eq!(load(&file, &[]).unwrap().server.shards, 2);
    std::fs::remove_file(&beside).unwrap();
    std::fs::write(&beside, "").unwrap();
    let message = load(&file, &[]).unwrap_err().to_string();
    assert!(message.contains("conf.d: the folder cannot be read: Not a directory"), "{message}");
}
