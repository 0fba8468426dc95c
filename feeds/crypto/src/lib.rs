//! Crypto quotes and trades from Kraken, Coinbase or Binance, over a WebSocket, without a key.
//!
//! Each provider has a file with its protocol. The book holds what they share: the symbols, which values are news,
//! and the shapes they are emitted in. The provider crate connects, tells health and waits between tries.
#![deny(missing_docs)]

mod binance;
mod book;
mod coinbase;
mod config;
mod field;
mod kraken;
#[cfg(test)]
mod mangled;

use std::time::Duration;

use tickerd_feed_provider::socket::Settings;
use tickerd_feed_provider::{Quote, Trade, stream};
use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Host, PushFeed};

pub use config::{Config, Provider};

use binance::Binance;
use book::Book;
use coinbase::Coinbase;
use kraken::Kraken;

/// The crypto feed.
pub struct Crypto {
    settings: Settings,
    protocol: Protocol,
}

/// The protocol of the configured provider.
enum Protocol {
    Kraken(Kraken),
    Coinbase(Coinbase),
    Binance(Binance),
}

impl Feed for Crypto {
    const INFO: FeedInfo = FeedInfo::new("org.tickerd.crypto", "Crypto")
        .description("Crypto quotes and trades from Kraken, Coinbase or Binance, without a key.")
        .vendor("tickerd")
        .license("MIT OR Apache-2.0")
        .events(&[
            EventInfo::state("quote", "A symbol's last price and what surrounds it.").value::<Quote>(),
            EventInfo::event("trade", "One trade.").value::<Trade>(),
        ]);
    type Config = Config;

    fn create(config: Config, _: Host) -> Result<Self, Error> {
        let book = Book::new(config.provider.name(), config.pairs()?);
        let (base_url, path, limit, protocol) = match config.provider {
            Provider::Kraken => {
                let kraken = Kraken::new(book, config.trades);
                (kraken::BASE_URL, kraken::PATH.to_owned(), kraken::connections(), Protocol::Kraken(kraken))
            }
            Provider::Coinbase => {
                let coinbase = Coinbase::new(book, config.trades);
                (coinbase::BASE_URL, String::new(), coinbase::connections(), Protocol::Coinbase(coinbase))
            }
            Provider::Binance => {
                let binance = Binance::new(book, config.trades);
                (binance::BASE_URL, binance.path(), binance::connections(), Protocol::Binance(binance))
            }
        };
        let base_url = config.base_url.as_deref().unwrap_or(base_url).trim_end_matches('/');
        let mut settings = Settings::new(config.provider.name(), format!("{base_url}{path}"));
        settings.limits = vec![limit];
        settings.ca_file = config.ca_file;
        Ok(Crypto { settings, protocol })
    }
}

impl PushFeed for Crypto {
    fn run(&mut self, host: &Host) -> Result<(), Error> {
        match &mut self.protocol {
            Protocol::Kraken(kraken) => stream::run(host, &self.settings, kraken),
            Protocol::Coinbase(coinbase) => stream::run(host, &self.settings, coinbase),
            Protocol::Binance(binance) => stream::run(host, &self.settings, binance),
        }
    }
}

impl Crypto {
    /// Shorter times for tests: the silence after which a connection is given up, the time after which a symbol
    /// without quotes is told, the life of a connection, and the age from which a quote is old.
    #[doc(hidden)]
    #[must_use]
    pub fn hurried(mut self, silence: Duration, quiet: Duration, life: Duration, old: Duration) -> Crypto {
        let book = match &mut self.protocol {
            Protocol::Kraken(kraken) => {
                kraken.silence = silence;
                &mut kraken.book
            }
            Protocol::Coinbase(coinbase) => {
                coinbase.silence = silence;
                &mut coinbase.book
            }
            Protocol::Binance(binance) => {
                binance.silence = silence;
                binance.life = life;
                &mut binance.book
            }
        };
        book.set_patience(quiet, old);
        self
    }
}

tickerd_sdk::export!(push: [Crypto]);
