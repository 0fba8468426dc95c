//! NATS servers that speak TLS, and let in who has a certificate.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use tempfile::TempDir;
use tickerd_tests::{Nats, daemon};

use crate::checker::Watch;
use crate::nodes::{STEADY, over};

/// An authority, whose name is its folder's.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "an authority of these tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Authority { issuer, folder: TempDir::new().unwrap() };
        std::fs::write(authority.folder.path().join("ca.pem"), authority.issuer.pem()).unwrap();
        for name in ["server", "node"] {
            authority.certify(name);
        }
        authority
    }

    fn certify(&self, name: &str) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        std::fs::write(self.folder.path().join(format!("{name}.pem")), pem).unwrap();
        std::fs::write(self.folder.path().join(format!("{name}-key.pem")), key.serialize_pem()).unwrap();
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A server that wants certificates lets in the node that has one. Who has none, or trusts another authority, says what to set, and
/// serves meanwhile.
#[tokio::test]
async fn servers_and_nodes_show_each_other_certificates() {
    let (ours, others) = (Authority::new(), Authority::new());
    let folder = ours.folder().display().to_string();
    let rest = format!(
        "tls {{ cert_file: \"{folder}/server.pem\", key_file: \"{folder}/server-key.pem\", ca_file: \"{folder}/ca.pem\", \
         verify: true, timeout: 5 }}"
    );
    let mut cluster = over(Nats::with(1, &rest).await);
    let pair = |authority: &Authority| {
        let folder = authority.folder().display();
        format!("certificate = \"{folder}/node.pem\"\nkey = \"{folder}/node-key.pem\"\n")
    };
    let ca = |authority: &Authority| format!("ca = \"{}/ca.pem\"\n", authority.folder().display());
    for (node, lines, says) in [
        ("a", ca(&ours) + &pair(&ours), &["node a of t"][..]),
        ("b", ca(&ours), &["[cluster] certificate and key"][..]),
        ("c", ca(&others) + &pair(&ours), &["[cluster] ca"][..]),
        ("d", ca(&ours) + &pair(&others), &["[cluster] certificate"][..]),
    ] {
        let toml = cluster.toml(node, &lines).replace("nats://", "tls://");
        cluster.take(node, daemon().config(&toml).run().await);
        for text in says {
            let said = cluster.ready(node, text).await;
            assert!(!said.contains("PRIVATE"), "{said}");
        }
        // It serves, whatever it is to the servers.
        cluster.node(node).connected().await;
    }
    assert_eq!(cluster.holder(STEADY).await, "a");
    let client = Watch::of("a", cluster.node("a"), STEADY, &Watch::truth()).await;
    client.end().await;
    for node in ["b", "c", "d"] {
        assert_eq!(cluster.node(node).metric("tickerd_cluster_connected").await, Some(0.0), "{node}");
    }
}
