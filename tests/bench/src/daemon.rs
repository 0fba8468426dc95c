//! The release daemon under measurement: its configuration, its addresses, its metrics.

use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;

use crate::{error::Error, options::Options, rights, server::Server, tls};

/// What the one feed delivers.
#[derive(Debug, Clone, Copy)]
pub struct Feed {
    pub topics: usize,
    pub interval: Duration,
}

/// A feed that says all it can, or much, beside that one.
#[derive(Debug, Clone, Copy)]
pub struct Flood {
    pub way: Way,
    /// Samples per second; 0: as many as it can.
    pub per_s: u64,
}

/// What the daemon is to do; nothing unless it is said.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setup {
    pub feed: Option<Feed>,
    pub flood: Option<Flood>,
    /// Ticks of each topic that are kept, whatever their age; the daemon's default when not given.
    pub kept: Option<usize>,
    /// It speaks TLS.
    pub tls: bool,
    /// Subscribers have tokens.
    pub auth: bool,
    /// The feed is pushed on arrival.
    pub arrival: bool,
    /// One thread sends, as the floor's does; else one per core.
    pub one_shard: bool,
    /// Clients come at the daemon's default pace.
    pub paced: bool,
    /// The feed's prices make bars of these periods, as `[bars] keep` has them; none are made when not given.
    pub bars: Option<&'static str>,
}

/// How a flood's samples reach the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A plugin in a child, which merges what the pipe cannot take.
    Child,
    /// A plugin on a thread of the daemon.
    InProcess,
    /// A program that prints lines and waits for the pipe: none is merged before the daemon has read it.
    Lines,
}

/// Topics of a flood: few enough to be conflated hard, as a market's are.
const FLOOD_TOPICS: usize = 100;
/// The flooding plugin's file, beside this program.
const FLOOD_PLUGIN: &str = "libtickerd_feed_flood.so";

/// Name of the feed, and first segment of its topics.
pub const FEED: &str = "bench";

pub struct Daemon {
    server: Server,
    pub address: SocketAddr,
    admin: SocketAddr,
    _folder: TempDir,
}

impl Daemon {
    pub fn start(options: &Options, setup: Setup) -> Result<Self, Error> {
        let own = env::current_exe().map_err(Error::io("finding this program"))?;
        let program = options.daemon.clone().unwrap_or_else(|| own.with_file_name("tickerd"));
        if !program.is_file() {
            return Err(Error::NoDaemon { path: program });
        }
        let plugin = program.with_file_name(FLOOD_PLUGIN);
        if setup.flood.is_some() && !plugin.is_file() {
            return Err(Error::NoFlood { path: plugin });
        }
        let folder = TempDir::new().map_err(Error::io("a scratch folder"))?;
        let file = folder.path().join("tickerd.toml");
        if setup.tls {
            tls::write(folder.path())?;
        }
        let secret = folder.path().join("secret");
        if setup.auth {
            fs::write(&secret, rights::SECRET).map_err(Error::io("writing the issuer's secret"))?;
        }
        let auth = setup.auth.then(|| rights::configuration(&secret.to_string_lossy()));
        fs::write(&file, configuration(setup, &own, &plugin) + &auth.unwrap_or_default())
            .map_err(Error::io("writing the configuration"))?;
        let mut server = Server::start("daemon", &program, &["--config".into(), file.into()])?;
        let address = server.announced("listening on ")?;
        let admin = server.announced("admin on ")?;
        Ok(Self { server, address, admin, _folder: folder })
    }

    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Sum of a metric over its labels; zero while no label has been counted yet.
    pub fn metric(&self, name: &'static str) -> Result<f64, Error> {
        let text = self.scrape().map_err(Error::io("reading /metrics"))?;
        sum(&text, name).ok_or(Error::NoMetric { name })
    }

    fn scrape(&self) -> std::io::Result<String> {
        let mut socket = TcpStream::connect(self.admin)?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin);
        socket.write_all(request.as_bytes())?;
        let mut text = String::new();
        socket.read_to_string(&mut text)?;
        Ok(text)
    }
}

fn configuration(setup: Setup, own: &Path, plugin: &Path) -> String {
    let Setup { feed, flood, kept, tls, bars, arrival, .. } = setup;
    let listen = if tls { "{ address = \"127.0.0.1:0\", tls = true }" } else { "\"127.0.0.1:0\"" };
    // Compression is for those who offer it, so the others do not notice. The crowd of a bench comes in without a wait.
    let mut text = format!("[server]\nlisten = [{listen}]\nadmin = \"127.0.0.1:0\"\ncompression = true\n");
    if setup.one_shard {
        text += "shards = 1\n";
    }
    if tls {
        text += "[server.tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n";
    }
    // Else a crowd would wait for its turns, as it does with the default.
    if !setup.paced {
        text += "[server.limits]\nhandshakes_per_s = 1000000\n";
    }
    if let Some(kept) = kept {
        text += &format!("[history]\ncount = {kept}\nage = \"1h\"\nbytes = \"1GiB\"\n");
    }
    if let Some(Feed { topics, interval }) = feed {
        let interval = interval.as_millis();
        // A JSON array of strings is a TOML one.
        let exec = json!([
            own.to_string_lossy(),
            "feed",
            "--topics",
            topics.to_string(),
            "--interval-ms",
            interval.to_string()
        ]);
        text += &format!(
            "[[feed]]\nname = \"{FEED}\"\nexec = {exec}\ninterval = \"{interval}ms\"\ntopics_max = {}\n",
            topics.max(1)
        );
        if arrival {
            text += "pace = \"arrival\"\n";
        }
        // Else nothing says what bars would be made of, so there are none.
        if let Some(keep) = bars {
            text += &format!("bars = {{ field = \"price\" }}\n[bars]\nkeep = {keep}\n");
        }
    }
    if let Some(Flood { way, per_s }) = flood {
        let topics = FLOOD_TOPICS.to_string();
        let runs = match way {
            Way::Child => format!("plugin = {}", json!(plugin.to_string_lossy())),
            Way::InProcess => {
                format!("plugin = {}\nisolation = \"in-process\"", json!(plugin.to_string_lossy()))
            }
            Way::Lines => {
                format!(
                    "exec = {}",
                    json!([own.to_string_lossy(), "feed", "--topics", topics, "--interval-ms", "0"])
                )
            }
        };
        text += &format!("[[feed]]\nname = \"flood\"\n{runs}\ninterval = \"100ms\"\n");
        if way != Way::Lines {
            text += &format!("[feed.config]\ntopics = {topics}\nper_s = {per_s}\n");
        }
    }
    text
}

/// Sums a metric's lines in the Prometheus text format; `None` if it is neither declared nor there.
fn sum(text: &str, name: &str) -> Option<f64> {
    let declared =
        text.lines().any(|line| line.strip_prefix("# TYPE ").and_then(|l| l.split(' ').next()) == Some(name));
    let lines = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
    });
    let (count, sum) = lines.fold((0, 0.0), |(count, sum), value| (count + 1, sum + value));
    (declared || count > 0).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_is_summed_over_its_labels() {
        let text = "# TYPE late counter\nlate{tier=\"100ms\"} 2\nlate{tier=\"1s\"} 3\nlater 7\n";
        assert_eq!(sum(text, "late"), Some(5.0));
        assert_eq!(sum(text, "lat"), None);
        assert_eq!(sum(text, "none"), None);
    }
}
