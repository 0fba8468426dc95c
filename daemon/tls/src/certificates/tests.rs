//! Files that are refused, and are looked at again.

use std::fs;

use super::*;

#[test]
fn what_is_not_valid_yet_is_used_once_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let tls = tickerd_config::Tls {
        certificate: folder.path().join("chain.pem"),
        key: folder.path().join("key.pem"),
        client_ca: None,
        client_crl: None,
        client_required: false,
        admin: false,
    };
    let write = |year| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(year, 1, 1);
        params.not_after = rcgen::date_time_ymd(2200, 1, 1);
        fs::write(&tls.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(&tls.key, key.serialize_pem()).unwrap();
    };
    write(2024);
    let certificates = Certificates::load(&tls).unwrap();
    assert!(certificates.look().is_none(), "they are as before");
    write(2150);
    let refused = certificates.look().unwrap().unwrap_err();
    assert!(refused.to_string().contains("not valid yet"), "{refused}");
    assert!(certificates.look().is_none(), "that was said already");
    let in_2151 = 5_711_990_400;
    certificates.look_at(in_2151).unwrap().unwrap();
    assert_eq!(certificates.standing().refused, None);
    assert!(certificates.look_at(in_2151).is_none());
    // What time cannot mend is read once.
    fs::write(&tls.key, "").unwrap();
    assert!(certificates.look_at(in_2151).unwrap().is_err());
    assert!(certificates.look_at(in_2151).is_none());
}
