//! Certificates of clients: who is asked for one, whom it speaks for, until when, and what its authority has revoked.

use super::*;

#[tokio::test]
async fn clients_show_certificates_where_they_are_asked_to() {
    let authority = Authority::new();
    let ca = format!("client_ca = \"{}/clients.pem\"", authority.folder.path().display());
    let optional = authority.daemon(&ca).run().await;
    let required = authority.daemon(&format!("{ca}\nclient_required = true")).run().await;
    let with = |of: &Authority| authority.showing(of, SanType::URI(WALL.try_into().unwrap()));
    // With a certificate of the authority, both let in; without, only where it is optional.
    for daemon in [&optional, &required] {
        greeted(shake(with(&authority), daemon.connect().await).await.unwrap()).await;
    }
    authority.connected(&optional).await;
    let stranger = Authority::new();
    for (config, daemon) in [
        (authority.client().with_no_client_auth(), &required),
        (with(&stranger), &required),
        (with(&stranger), &optional),
    ] {
        // In TLS 1.3 a client learns of it when it reads.
        if let Ok(mut stream) = shake(config, daemon.connect().await).await {
            let read = within("an alert", stream.read(&mut [0; 64])).await;
            assert!(read.is_err(), "{read:?}");
        }
    }
    required.metric_until("tickerd_tls_handshakes_total{result=\"failed\"}", |count| count == 2.0).await;
}

/// A certificate says who a client is. Whom another page sends gets nothing of it, and what was revoked is refused.
#[tokio::test]
async fn a_certificate_says_who_a_client_is() {
    let authority = Authority::new();
    let script = Script::new("s");
    let client_ca = format!("client_ca = \"{}/clients.pem\"", authority.folder.path().display());
    let socket = authority.path("admin.sock");
    let daemon = authority
        .daemon(&client_ca)
        .config(&format!(
            "[[auth.certificate]]\nname = \"wall\"\nsan = \"URI:{WALL}\"\ngroups = [\"desk\"]\n\
             [[auth.group]]\nname = \"desk\"\nsubscribe = [\"s.a\"]"
        ))
        .server(&format!(
            "admin_socket = \"unix:{}\"\norigins = [\"https://dash.example\", \"null\"]",
            socket.display()
        ))
        .feed(script.feed())
        .run()
        .await;
    script.tick("a", json!(1)).await;
    let wall = || async {
        let config = authority.showing(&authority, SanType::URI(WALL.try_into().unwrap()));
        shake(config, daemon.connect().await).await.unwrap()
    };
    let mut client = greeted(wall().await).await;
    let granted = client.subscribe(json!({"topics": ["s.a", "s.b"]})).await;
    assert_eq!(granted["failed"][0]["topic"], "s.b", "{granted}");
    assert_eq!(client.tick().await.topic(), "s.a");
    for (headers, status) in [
        ("", "200"),
        ("Sec-Fetch-Site: same-origin\r\n", "200"),
        ("Sec-Fetch-Site: none\r\n", "200"),
        ("Sec-Fetch-Site: cross-site\r\n", "401"),
        ("Origin: https://dash.example\r\nSec-Fetch-Site: cross-site\r\n", "200"),
        ("Origin: null\r\n", "401"),
        ("Origin: https://other.example\r\n", "403"),
        ("Authorization: Bearer wrong\r\n", "401"),
    ] {
        let answer = get_with(wall().await, "/v1/topics/s.a", headers).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{headers}: {answer}");
    }
    // Another name of the same authority is nobody.
    let other = authority.showing(&authority, SanType::URI("spiffe://example.org/other".try_into().unwrap()));
    let answer = get(shake(other, daemon.connect().await).await.unwrap(), "/v1/topics/s.a").await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");

    let mut command = tickerd_tests::daemon::command();
    command.args(["disconnect", "--user", "wall", "--socket", socket.to_str().unwrap()]);
    assert!(within("tickerd disconnect", command.output()).await.unwrap().status.success());
    assert_eq!(client.closed().await.0, 4001);
    let answer = get(wall().await, "/v1/topics/s.a").await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("token_revoked"), "{answer}");
}

/// Who a client is ends with its certificate, and a session that is taken up again does not bring an expired one back.
#[tokio::test]
async fn a_certificate_is_nobodys_once_it_has_expired() {
    let authority = Authority::new();
    let client_ca = format!("client_ca = \"{}/clients.pem\"", authority.folder.path().display());
    let certificate = format!("[[auth.certificate]]\nname = \"wall\"\nsan = \"URI:{WALL}\"");
    let daemon = authority.daemon(&client_ca).config(&certificate).run().await;

    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names.push(SanType::URI(WALL.try_into().unwrap()));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_secs() + 6);
    let der = params.signed_by(&key, &authority.issuer).unwrap().der().clone();
    let (mut configs, mut clients) = (Vec::new(), Vec::new());
    for version in [&version::TLS12, &version::TLS13] {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = authority.client_of(&[version]).with_client_auth_cert(vec![der.clone()], key).unwrap();
        // The first makes a session, which those after it take up.
        let connect = || async { shake(config.clone(), daemon.connect().await).await };
        let first = get(connect().await.unwrap(), "/v1/topics").await;
        assert!(first.starts_with("HTTP/1.1 200 "), "{first}");
        let resumed = connect().await.unwrap();
        assert_eq!(resumed.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
        configs.push(config);
        clients.push(greeted(resumed).await);
    }
    for client in &mut clients {
        client.expect("authenticated").await;
        client.notice("auth_expiring").await;
        assert_eq!(client.closed().await.0, 4103);
    }
    for config in configs {
        // In the second in which it expires, TLS takes it still.
        while let Some(answer) = try_to_get(&config, &daemon, "/v1/topics").await {
            assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("token_expired"), "{answer}");
        }
    }
    daemon.metric_until("tickerd_tls_handshakes_total{result=\"failed\"}", |count| count >= 2.0).await;
}

/// Whose certificate its authority has revoked does not get in, as soon as the list is read.
#[tokio::test]
async fn a_list_of_revoked_certificates_is_read_again() {
    let authority = Authority::new();
    let list = |serials: &[u64]| {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2099, 1, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        write(&authority.path("clients.crl"), &params.signed_by(&authority.issuer).unwrap().pem().unwrap());
    };
    list(&[]);
    let folder = authority.folder.path().display();
    let files = format!(
        "client_ca = \"{folder}/clients.pem\"\nclient_crl = \"{folder}/clients.crl\"\nclient_required = true"
    );
    let daemon = authority.daemon(&files).run().await;
    let mut params = CertificateParams::new(vec!["wall".to_owned()]).unwrap();
    params.serial_number = Some(7_u64.into());
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = authority.client().with_client_auth_cert(vec![certificate], key).unwrap();
    // One configuration for both: it has the ticket of the session that worked.
    let before = get(shake(config.clone(), daemon.connect().await).await.unwrap(), "/").await;
    assert!(before.starts_with("HTTP/1.1 200 "), "{before}");
    list(&[6, 7]);
    daemon.signal(Signal::SIGHUP);
    daemon.metric_until("tickerd_tls_reload_total{result=\"ok\"}", |count| count == 1.0).await;
    if let Ok(mut stream) = shake(config, daemon.connect().await).await {
        let read = within("an alert", stream.read(&mut [0; 64])).await;
        assert!(read.is_err(), "{read:?}");
    }
    daemon.metric_until("tickerd_tls_handshakes_total{result=\"failed\"}", |count| count == 1.0).await;
}
