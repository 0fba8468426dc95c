//! `tickerd demo`: one command, one URL, no configuration.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use clap::Args;

use tickerd_config::{Config, Feed, Listen, Overrides, Problems, Server, Topic, environment};

/// What `tickerd demo` can be told.
#[derive(Debug, Clone, Default, Args)]
pub struct DemoArgs {
    /// Add real sources that need no key: crypto quotes from Kraken, and the weather from Open-Meteo.
    #[arg(long)]
    pub live: bool,
    /// Address clients connect to; repeat it for more. Port 0 lets the system choose.
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<Listen>,
    /// Address of metrics and administration.
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<Listen>,
}

impl DemoArgs {
    /// The configuration of a daemon without a file, and the live feeds where asked for; with it, a line for each
    /// default address that someone else has, in whose place the system chooses one.
    ///
    /// # Errors
    /// What is wrong with the flags and the environment.
    pub fn configure(&self) -> Result<(Config, Vec<String>), Problems> {
        let overrides = Overrides { listen: self.listen.clone(), admin: self.admin.clone(), dev: false };
        let mut config = Config::load(None, environment(), &overrides)?;
        if self.live {
            config.feeds.extend(Feed::live());
        }
        config.topics.extend(rooms());
        config.server.chat = true;
        let usual = Server::default();
        let mut moved = Vec::new();
        // An address that was asked for is meant: if it is taken, that is told and nothing starts.
        if self.listen.is_empty() && config.server.listen == usual.listen {
            for listen in &mut config.server.listen {
                moved.extend(make_way(&mut listen.address));
            }
        }
        if self.admin.is_none() && config.server.admin == usual.admin {
            moved.extend(make_way(&mut config.server.admin));
        }
        Ok((config, moved))
    }
}

/// The rooms of the chat. Who joins reads what was said today.
fn rooms() -> [Topic; 2] {
    let room = |name: &str, presence| Topic {
        name: name.to_owned(),
        publish: true,
        presence,
        count: Some(200),
        age: Some(Duration::from_secs(24 * 3_600)),
    };
    [room("rooms.lobby", true), room("rooms.news", false)]
}

/// Lets the system choose the port if this one is taken, and says so.
fn make_way(listen: &mut Listen) -> Option<String> {
    let Listen::Tcp(address) = listen else { return None };
    match TcpListener::bind(*address) {
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
            let told = format!("{address} is taken by another program, so this takes a free port");
            *listen = Listen::Tcp(SocketAddr::new(address.ip(), 0));
            Some(told)
        }
        _ => None,
    }
}

/// What a newcomer can do next, once it serves: `page` and `admin` are the URLs of the two listeners.
pub fn next_steps(page: &str, admin: &str, live: bool) -> String {
    // The usual address need not be said.
    let url = match page {
        "http://127.0.0.1:8425/" => String::new(),
        page => format!(" --url {}", page.trim_end_matches('/')),
    };
    let mut steps = vec![
        (format!("tickerd tail{url} 'sim.**'"), "every tick, a line each; get and topics are there too"),
        (format!("curl -N '{page}v1/sse?topics=sim.**'"), "every tick, as any program gets it"),
        (format!("curl {admin}metrics"), "what Prometheus scrapes"),
    ];
    if !live {
        steps.push(("tickerd demo --live".into(), "real sources as well: crypto, weather"));
    }
    steps.push((
        "tickerd run --config tickerd.toml".into(),
        "your own feeds; the README has a file to start from",
    ));
    let width = steps.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    let steps: String =
        steps.iter().map(|(command, what)| format!("  {command:<width$}   {what}\n")).collect();
    format!(
        "\nOpen {page} in a browser. A chat is at {page}chat.html; open it twice.\nThen, in another terminal:\n{steps}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: it reads as a table, whatever the addresses are.
    #[test]
    fn what_each_command_is_for_stands_in_one_column() {
        for (page, admin) in [
            ("http://127.0.0.1:8425/", "http://127.0.0.1:8426/"),
            ("http://[2001:db8::4711]:50000/", "http://127.0.0.1:9/"),
        ] {
            let text = next_steps(page, admin, false);
            let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("  ")).collect();
            let column = |row: &&str| row.rfind("   ").unwrap() + 3;
            assert_eq!(rows.len(), 5, "{text}");
            assert!(rows.iter().all(|row| column(row) == column(&rows[0])), "{text}");
            assert_eq!(text.contains("tickerd tail 'sim.**'"), page == "http://127.0.0.1:8425/", "{text}");
            assert!(!next_steps(page, admin, true).contains("--live"));
        }
    }

    #[test]
    fn a_taken_port_is_left_to_its_owner() {
        let owner = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = owner.local_addr().unwrap();
        let mut listen = Listen::Tcp(taken);
        assert!(make_way(&mut listen).unwrap().contains(&taken.to_string()));
        assert_eq!(listen, Listen::Tcp("127.0.0.1:0".parse().unwrap()));
        assert_eq!(make_way(&mut listen), None);
        let mut unix = Listen::Unix("/run/t.sock".into());
        assert_eq!(make_way(&mut unix), None);
    }
}
