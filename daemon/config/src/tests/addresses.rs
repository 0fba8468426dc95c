//! The admin address, where other machines reach it.

use super::*;

/// Goal: who asks for a certificate, or has a token for what is commanded, may be reached over TLS; nobody else.
#[test]
fn a_public_admin_address_asks_who_comes() {
    let with = |tls: &str, more: &str| {
        format!(
            "[server]\nadmin = \"0.0.0.0:0\"\n{more}\n[server.tls]\ncertificate = \"c\"\nkey = \"k\"\n{tls}"
        )
    };
    let asks = "client_ca = \"ca\"\nclient_required = true\n";
    let token = "admin_token = { file = \"/t\" }";
    let warnings = |text: &str| load(text).expect(text).warnings.len();
    assert_eq!(warnings(&with(&format!("admin = true\n{asks}"), "")), 0);
    assert_eq!(warnings(&with(&format!("admin = true\n{asks}"), token)), 0);
    let config = load(&with("admin = true", token)).unwrap();
    let [warning] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
    assert!(warning.code == Code::OpenToAll && warning.to_string().contains("may read metrics"), "{warning}");
    assert!(load(&with("admin = true", "insecure_public = true")).unwrap().warnings.is_empty());

    for text in [
        with("admin = true", ""),
        with("admin = true\n[auth]\nanonymous = [\"**\"]", ""),
        with("admin = true\nclient_ca = \"ca\"", ""),
        with(asks, token),
        format!("[server]\nadmin = \"0.0.0.0:0\"\n{token}"),
    ] {
        let message = message(&text);
        let says =
            ["server.admin = ", "[open-to-all]", "admin = true", "client_required = true", "admin_token"];
        assert!(says.iter().all(|part| message.contains(part)), "{text}\n{message}");
        assert!(!message.contains("tls = true") && !message.contains('…'), "{message}");
        assert!(!message.contains("problems in"), "{message}");
    }
    // A certificate that is missing is told alone.
    let message = message("[server]\nadmin = \"0.0.0.0:0\"\n[server.tls]\nadmin = true\nkey = \"k\"\n");
    assert!(message.contains("has no certificate") && !message.contains("open-to-all"), "{message}");
}
