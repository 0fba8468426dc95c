//! An issuer's keys and the list of revocations, as files that anyone may have written. Lines: which family of algorithms, a token,
//! and the list of revocations; the rest is the keys. They are read, or refused with a short reason, and let in nobody.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::mpsc::channel;

use libfuzzer_sys::fuzz_target;
use tickerd_config::{Algorithm, Auth, Issuer, Keys};
use tickerd_identity::Authenticator;
use tickerd_model::access::secret::Secret;

const NOW_MS: u64 = 1_790_000_000_000;
const FAMILIES: [&[&str]; 4] = [&["RS256", "PS512"], &["ES256", "ES384"], &["EdDSA"], &["RS384"]];

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("tickerd-fuzz-keys-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder of temporary files can be written");
    folder
});

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(4, '\n');
    let (family, token) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (revoked, keys) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let file = |name: &str, text: &str| {
        let path = FOLDER.join(name);
        std::fs::write(&path, text).expect("the folder of temporary files can be written");
        path
    };
    let words = FAMILIES[family.len() % FAMILIES.len()];
    let issuer = Issuer {
        issuer: "fuzz".into(),
        audience: "tickerd".into(),
        algorithms: words.iter().filter_map(|word| Algorithm::of_word(word)).collect(),
        keys: Keys::File(file("keys.json", keys)),
        claims: "tickerd".into(),
        user_claim: "sub".into(),
        auto_subscribe: false,
    };
    let auth = Auth { issuers: vec![issuer], ..Auth::default() };
    match Authenticator::start(&auth, Some(file("revoked.json", revoked)), || NOW_MS) {
        Err(error) => {
            let error = error.to_string();
            assert!(error.chars().count() < 1_000 && !error.contains('\n'), "{error}");
        }
        Ok(front) => {
            let (tell, told) = channel();
            front.judge(Secret::new(token), move |result| {
                let _ = tell.send(result);
            });
            assert!(told.recv().expect("every token is answered").is_err(), "nobody signed it");
        }
    }
});
