//! A token in, an identity out.

use std::sync::Arc;
use std::sync::mpsc::channel;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use tickerd_config::{Algorithm, Auth, Issuer, Keys, SecretSource, StaticToken, TokenSource};
use tickerd_model::access::identity::Identity;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;

use crate::Authenticator;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW_S: u64 = 1_790_000_000;

fn jwt(claims: &str) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", encode(br#"{"alg":"HS256"}"#), encode(claims.as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", encode(tag.as_ref()))
}

fn ask(authenticator: &Authenticator, token: &str) -> Result<Arc<Identity>, Refusal> {
    let (tell, told) = channel();
    authenticator.judge(Secret::new(token), move |result| tell.send(result).unwrap());
    told.recv().unwrap()
}

#[test]
fn a_static_token_and_a_jwt_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let auth = Auth {
        tokens: vec![StaticToken {
            name: "wall".into(),
            token: TokenSource::Secret(SecretSource::File(file.clone())),
            groups: Vec::new(),
            user: "wall".into(),
        }],
        issuers: vec![Issuer {
            issuer: "shop".into(),
            audience: "tickerd".into(),
            algorithms: vec![Algorithm::Hs256],
            keys: Keys::Secret(SecretSource::File(file)),
            claims: "tickerd".into(),
            user_claim: "sub".into(),
            auto_subscribe: false,
        }],
        ..Auth::default()
    };
    let authenticator = Authenticator::start(&auth, None, || NOW_S * 1_000).unwrap();
    assert_eq!(ask(&authenticator, SECRET).unwrap().user.as_deref(), Some("wall"));
    let claims = format!(r#"{{"iss":"shop","aud":"tickerd","exp":{},"sub":"ann"}}"#, NOW_S + 60);
    assert_eq!(ask(&authenticator, &jwt(&claims)).unwrap().user.as_deref(), Some("ann"));
    assert_eq!(ask(&authenticator, "x").unwrap_err(), Refusal::Unknown);
    assert_eq!(ask(&authenticator, "a.b.c").unwrap_err(), Refusal::Malformed);
}
