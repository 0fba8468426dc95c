//! A certificate authority of its own, for servers on loopback.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// An authority and a certificate it gave to `localhost` and `127.0.0.1`, made by the `openssl` command. Its files go
/// with it.
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    /// Makes new keys.
    ///
    /// # Panics
    /// When there is no `openssl` command, or it fails.
    pub fn new() -> Authority {
        let folder = tempfile::tempdir().expect("the temporary folder can be written to");
        // Two of one name would be taken for one with a broken signature.
        let subject =
            format!("/CN=tickerd test authority {}", folder.path().file_name().unwrap_or_default().display());
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
        std::fs::write(folder.path().join("names"), names).expect("the temporary folder can be written to");
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let run = |arguments: &[&str]| openssl(folder.path(), arguments);
        run(&[
            &["req", "-x509", "-days", "2", "-subj", &subject],
            &key[..],
            &["-keyout", "ca.key"],
            &["-out", "ca.pem"],
        ]
        .concat());
        run(&[
            &["req", "-subj", "/CN=localhost"],
            &key[..],
            &["-keyout", "server.key", "-out", "server.csr"],
        ]
        .concat());
        run(&[
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "names",
            "-out",
            "server.pem",
        ]);
        Authority { folder }
    }

    /// The authority's certificate, for clients to trust.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// How a server with its certificate meets clients.
    ///
    /// # Panics
    /// Never, as its files are as `openssl` made them.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let chain = CertificateDer::pem_file_iter(self.folder.path().join("server.pem"))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .expect("openssl wrote a certificate");
        let key =
            PrivateKeyDer::from_pem_file(self.folder.path().join("server.key")).expect("openssl wrote a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks all versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("the certificate belongs to the key");
        Arc::new(config)
    }
}

impl Default for Authority {
    fn default() -> Authority {
        Authority::new()
    }
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output();
    let output = output.expect("the tests of TLS need the openssl command: install the package openssl");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
