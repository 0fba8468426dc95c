//! Tokens of subscribers, each signed for the run's own issuer.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::json;

use crate::{daemon::FEED, wall};

pub const SECRET: &str = "the bench's own secret, which protects nothing";
/// Longer than any run.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// `[auth]` for them.
pub fn configuration(secret_file: &str) -> String {
    format!(
        "[auth]\nquery_token = true\n[[auth.issuer]]\nissuer = \"bench\"\naudience = \"bench\"\n\
         algorithms = [\"HS256\"]\nsecret = {{ file = {} }}\n",
        json!(secret_file)
    )
}

/// The token of one client, whose rights are one of so many sets. All may have what the feed says.
pub fn token(client: usize, sets: usize) -> String {
    let own = format!("own{}.**", client % sets.max(1));
    let claims = json!({
        "iss": "bench",
        "aud": "bench",
        "sub": format!("client-{client}"),
        "exp": (wall::now() + LIFE).as_secs(),
        "tickerd": { "subscribe": [format!("{FEED}.**"), own] },
    });
    let text = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", text(json!({ "alg": "HS256", "typ": "JWT" })), text(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
}
