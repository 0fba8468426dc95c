//! A Prometheus of Debian's, with the example of its configuration, and what it answers.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tickerd_tests::{Value, within};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::files;

const EXAMPLE: &str = include_str!("../../../dashboards/prometheus/prometheus.yml");

/// Runs promtool, which must have nothing to say against it.
pub async fn promtool(words: &[&str]) {
    let mut command = Command::new("promtool");
    command.args(words).current_dir(files::root()).stdin(Stdio::null());
    let output = match within("promtool", command.output()).await {
        Ok(output) => output,
        Err(e) => panic!("cannot run promtool ({e}): install it (Debian: apt-get install prometheus)"),
    };
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "promtool {words:?}: {said}");
}

/// A Prometheus; dropping it ends it.
pub struct Prometheus {
    address: SocketAddr,
    _process: Child,
    _folder: TempDir,
}

impl Prometheus {
    /// Scrapes these admin listeners each second, over TLS if there is an authority.
    pub async fn start(rules: &str, admins: &[String], authority: Option<&Path>) -> Prometheus {
        let folder = TempDir::new().unwrap();
        let rules = files::root().join("dashboards/prometheus").join(rules).canonicalize().unwrap();
        let mut changes = vec![
            ("_interval: 15s", "_interval: 1s".to_owned()),
            ("tickerd.rules.yml", rules.display().to_string()),
            ("127.0.0.1:8426", admins.join("\", \"")),
        ];
        if let Some(authority) = authority {
            changes.extend([
                ("#scheme", "scheme".to_owned()),
                ("#tls_config", "tls_config".to_owned()),
                ("#  ca_file: ca.pem", format!("  ca_file: {}", authority.display())),
            ]);
        }
        let mut config = EXAMPLE.to_owned();
        for (from, to) in changes {
            assert!(config.contains(from), "{from}");
            config = config.replace(from, &to);
        }
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg("--web.listen-address=127.0.0.1:0");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(e) => panic!("cannot run prometheus ({e}): install it (Debian: apt-get install prometheus)"),
        };
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let heard = async {
            // The two lines come from two threads, in any order.
            let (mut said, mut address, mut is_ready) = (Vec::new(), None, false);
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, at)) = line.split_once("msg=\"Listening on\" address=") {
                    address = at.trim().parse().ok();
                }
                is_ready |= line.contains("Server is ready");
                if let Some(address) = address.filter(|_| is_ready) {
                    return address;
                }
                said.push(line);
            }
            panic!("it has ended: {said:#?}");
        };
        let address = within("prometheus to listen", heard).await;
        // What it writes from then on is for nobody, but it must not wait for that.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Prometheus { address, _process: process, _folder: folder }
    }

    /// What it answers under `/api/v1/`.
    pub async fn get(&self, path: &str) -> Value {
        let ask = async {
            let mut stream = TcpStream::connect(self.address).await?;
            // Of HTTP/1.0, so that the answer is not in chunks.
            stream.write_all(format!("GET /api/v1/{path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = within("an answer of prometheus", ask).await.unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let said: Value = serde_json::from_str(body).unwrap_or_else(|why| panic!("{why}: {path}: {answer}"));
        assert_eq!(said["status"], "success", "{path}: {said}");
        said["data"].clone()
    }

    /// The series of an expression now.
    pub async fn query(&self, expr: &str) -> Vec<Value> {
        let quoted: String = expr.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.get(&format!("query?query={quoted}")).await["result"].as_array().unwrap().clone()
    }

    /// Waits until an expression has a series.
    pub async fn until(&self, expr: &str) {
        within(expr, async {
            while self.query(expr).await.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        })
        .await;
    }

    /// The names of all series.
    pub async fn names(&self) -> Vec<String> {
        let names = self.get("label/__name__/values").await;
        names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// Its alerts, each with its expression; all of them can be evaluated.
    pub async fn rules(&self) -> Vec<(String, String)> {
        let all = self.get("rules").await;
        let rules = all["groups"][0]["rules"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        rules
            .iter()
            .map(|rule| {
                assert_ne!(rule["health"], "err", "{rule}");
                (text(&rule["name"]), text(&rule["query"]))
            })
            .collect()
    }
}
