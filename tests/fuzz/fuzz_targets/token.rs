//! Tokens as they come, and tokens that are rightly signed and say anything. Two lines are a header and claims to be signed.
#![no_main]

use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use ring::hmac;
use tickerd_config::{Algorithm, Auth, Group, Issuer, Keys, SecretSource, Template};
use tickerd_identity::Authenticator;
use tickerd_model::access::secret::Secret;
use tickerd_model::access::user::is_user;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW_MS: u64 = 1_790_000_000_000;

static FRONT: LazyLock<Arc<Authenticator>> = LazyLock::new(|| {
    let file = std::env::temp_dir().join(format!("tickerd-fuzz-token-{}", std::process::id()));
    std::fs::write(&file, SECRET).expect("the temporary folder can be written");
    let issuer = Issuer {
        issuer: "fuzz".into(),
        audience: "tickerd".into(),
        algorithms: vec![Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512],
        keys: Keys::Secret(SecretSource::File(file.clone())),
        claims: "tickerd".into(),
        user_claim: "sub".into(),
        auto_subscribe: true,
    };
    let desk = Group {
        name: "desk".into(),
        subscribe: vec![Template::parse("users.{sub}.**").expect("this is a template")],
        publish: Vec::new(),
        presence: Vec::new(),
        history: Vec::new(),
        admin: false,
        deny: Vec::new(),
    };
    let auth = Auth { issuers: vec![issuer], groups: vec![desk], ..Auth::default() };
    let front = Authenticator::start(&auth, None, || NOW_MS).expect("this configuration is right");
    // The secret was read, and the file is needed no more.
    let _ = std::fs::remove_file(file);
    front
});

fuzz_target!(|text: &str| {
    let (token, is_signed) = match text.split_once('\n') {
        None => (text.to_owned(), false),
        Some((header, claims)) => {
            let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
            let signature = hmac::sign(&key, signed.as_bytes());
            (format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)), true)
        }
    };
    let (tell, told) = channel();
    FRONT.judge(Secret::new(token), move |result| {
        let _ = tell.send(result);
    });
    if let Ok(who) = told.recv().expect("every token is answered") {
        assert!(is_signed, "nobody signed it");
        assert!(who.user.as_deref().is_some_and(is_user) && !who.has_ended(NOW_MS));
        assert!(!who.rights.is_admin() && !who.rights.is_open());
    }
});
