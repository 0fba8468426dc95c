//! Stock quotes and trades from Finnhub, Alpaca or Yahoo.
//!
//! Up to two threads share a desk: one asks for quotes in rounds, the other listens to trades. Each of them alone
//! keeps prices moving, so the feed is down only if both are. If the key is refused, both end.
#![deny(missing_docs)]

mod alpaca;
mod config;
mod desk;
mod facts;
mod finnhub;
mod last;
mod line;
mod listing;
#[cfg(test)]
mod mangled;
mod market;
mod minor;
mod plan;
mod quoted;
mod recent;
mod rounds;
mod unit;
mod yahoo;

use std::thread;
use std::time::Duration;

use tickerd_feed_provider::stream;
use tickerd_feed_provider::{Client, Correction, Fault, Quote, Settings, Trade, socket};
use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Health, Host, Interrupter, Level, PushFeed};

pub use config::{Config, Provider, Tape};

use alpaca::Alpaca;
use desk::{Desk, Fuse, Part};
use finnhub::Finnhub;
use line::{Dialogue, Listening};
use market::Market;
use plan::Asked;
use rounds::Rounds;
use yahoo::Yahoo;

/// The stocks feed.
pub struct StocksFeed {
    desk: Desk,
    client: Client,
    asked: Asked,
    every: Duration,
    batch_max: usize,
    stream: Option<socket::Settings>,
}

impl Feed for StocksFeed {
    const INFO: FeedInfo = FeedInfo::new("org.tickerd.stocks", "Stocks")
        .description("Stock quotes and trades from Finnhub, Alpaca or Yahoo.")
        .vendor("tickerd")
        .license("MIT OR Apache-2.0")
        .events(&[
            EventInfo::state("quote", "A symbol's last price and what surrounds it.").value::<Quote>(),
            EventInfo::event("trade", "One trade.").value::<Trade>(),
            EventInfo::event("correction", "A trade that does not stand as it was told.")
                .value::<Correction>(),
        ]);
    type Config = Config;

    fn create(config: Config, host: Host) -> Result<Self, Error> {
        let plan = config.plan()?;
        let secrets = plan.asked.secrets();
        let mut settings = Settings::new(plan.source, plan.base_url);
        settings.limits = plan.limits;
        settings.secrets = secrets.clone();
        settings.ca_file.clone_from(&plan.ca_file);
        settings.user_agent = plan.user_agent;
        let client = Client::new(settings)?;
        let stream = plan.stream_url.map(|url| {
            let mut settings = socket::Settings::new(plan.source, url);
            settings.secrets.clone_from(&secrets);
            settings.ca_file = plan.ca_file;
            settings
        });
        for note in &plan.notes {
            host.log(Level::Warn, note);
        }
        Ok(StocksFeed {
            desk: Desk::new(Market::new(plan.listings, plan.source, plan.asked.delay_s()), secrets),
            client,
            asked: plan.asked,
            every: plan.every,
            batch_max: plan.batch_max,
            stream,
        })
    }

    fn interrupter(&self) -> Option<Interrupter> {
        Some(self.client.interrupter())
    }
}

impl PushFeed for StocksFeed {
    fn run(&mut self, host: &Host) -> Result<(), Error> {
        self.desk.begin();
        let this = &*self;
        thread::scope(|scope| {
            let _fuse = Fuse(&this.desk);
            let listening = this
                .stream
                .as_ref()
                .map(|settings| {
                    let listen = || {
                        let _fuse = Fuse(&this.desk);
                        let ended = this.listen(settings, host);
                        // The other thread must end before this one is joined.
                        if ended.is_err() {
                            this.desk.refuse();
                        }
                        ended
                    };
                    thread::Builder::new().name("stocks-stream".to_owned()).spawn_scoped(scope, listen)
                })
                .transpose()
                .map_err(|e| Error::transient(format!("no thread for the stream: {e}")))?;
            let asked = this.ask(host);
            this.desk.end();
            let listened = listening.map_or(Ok(()), |thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            match asked {
                Fault::Stopping => listened,
                fault => {
                    this.desk.refuse();
                    Err(fault.map_message(|text| this.desk.clean(text)).into())
                }
            }
        })
    }
}

impl StocksFeed {
    /// Asks for quotes until the end. Returns the fault that ended it.
    fn ask(&self, host: &Host) -> Fault {
        let (desk, client, every, batch_max) = (&self.desk, &self.client, self.every, self.batch_max);
        match self.asked.clone() {
            Asked::Finnhub { key } => Rounds::new(desk, client, Finnhub { key }, every, batch_max).run(host),
            Asked::Alpaca { key, secret, tape } => {
                Rounds::new(desk, client, Alpaca { key, secret, tape }, every, batch_max).run(host)
            }
            Asked::Yahoo => Rounds::new(desk, client, Yahoo, every, batch_max).run(host),
        }
    }

    /// Listens to trades until the end.
    fn listen(&self, settings: &socket::Settings, host: &Host) -> Result<(), Error> {
        match &self.asked {
            Asked::Finnhub { .. } => self.listen_to(settings, finnhub::stream::Trades::new(), host),
            Asked::Alpaca { key, secret, tape } => {
                self.listen_to(settings, alpaca::stream::Trades::new(key, secret, *tape), host)
            }
            Asked::Yahoo => Ok(()),
        }
    }

    /// Listens to trades until the end, or until the source refuses the stream although the feed goes on.
    fn listen_to(
        &self,
        settings: &socket::Settings,
        dialogue: impl Dialogue,
        host: &Host,
    ) -> Result<(), Error> {
        let mut listening = Listening::new(&self.desk, settings.source, dialogue);
        let ended = stream::run(host, settings, &mut listening);
        let Some(why) = listening.given_up() else { return ended };
        self.desk.log(host, Level::Warn, why);
        self.desk.tell(host, Part::Stream, Health::Degraded, why);
        Ok(())
    }
}

tickerd_sdk::export!(push: [StocksFeed]);
