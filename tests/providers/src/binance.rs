//! Binance's combined market data streams, in the shapes its documentation has in July 2026.

use std::ops::{Deref, DerefMut};

use crate::{CRYPTO_START_MS, Peer, Sockets};

/// Binance, which knows some symbols.
pub struct Binance {
    sockets: Sockets,
    known: Vec<(String, String)>,
}

/// A connection with its streams.
pub struct BinancePeer {
    peer: Peer,
    /// The streams asked for in the URL.
    pub streams: Vec<String>,
    clock_ms: u64,
}

impl Binance {
    /// Knows `known`: symbols with their last prices.
    pub fn start(known: &[(&str, &str)]) -> Binance {
        let known = known.iter().map(|(symbol, last)| (symbol.to_string(), last.to_string())).collect();
        Binance { sockets: Sockets::start(), known }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        self.sockets.url()
    }

    /// For what happens before Binance's protocol begins.
    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Takes a connection and sends a ticker for each that is asked for and known. Others are silent, as they are
    /// there.
    pub fn accept(&self) -> BinancePeer {
        let peer = self.sockets.accept();
        let list = peer.target.strip_prefix("/stream?streams=");
        let list = list.unwrap_or_else(|| panic!("no combined streams in {}", peer.target));
        let streams: Vec<_> = list.split('/').map(str::to_owned).collect();
        let mut binance = BinancePeer { peer, streams, clock_ms: CRYPTO_START_MS };
        for (symbol, last) in &self.known {
            if binance.streams.contains(&format!("{}@ticker", symbol.to_ascii_lowercase())) {
                binance.ticker(symbol, last);
            }
        }
        binance
    }
}

impl BinancePeer {
    fn tick(&mut self) -> u64 {
        self.clock_ms += 1;
        self.clock_ms
    }

    /// A new price.
    pub fn ticker(&mut self, symbol: &str, last: &str) {
        let at = self.tick();
        self.ticker_at(symbol, last, at);
    }

    /// A price of another time.
    pub fn ticker_at(&mut self, symbol: &str, last: &str, at_ms: u64) {
        let stream = symbol.to_ascii_lowercase();
        self.send(format!(
            r#"{{"stream":"{stream}@ticker","data":{{"e":"24hrTicker","E":{at_ms},"s":"{symbol}","p":"-0.10000000","P":"-0.010","w":"{last}","x":"1.0","c":"{last}","Q":"10","b":"{last}","B":"31.21000000","a":"{last}","A":"40.66","o":"0.95","h":"99999.9","l":"0.90","v":"8913.30000000","q":"15.3","O":0,"C":{at_ms},"F":0,"L":18150,"n":18151}}}}"#
        ));
    }

    /// A trade in which a seller took a buyer's offer.
    pub fn trade(&mut self, symbol: &str, id: u64, price: &str) {
        let (stream, at) = (symbol.to_ascii_lowercase(), self.tick());
        self.send(format!(
            r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":{at},"s":"{symbol}","t":{id},"p":"{price}","q":"0.10000000","T":{at},"m":true,"M":true}}}}"#
        ));
    }

    /// The notice ahead of the end.
    pub fn shutdown(&mut self) {
        let at = self.tick();
        self.send(format!(r#"{{"stream":"!serverShutdown","data":{{"e":"serverShutdown","E":{at}}}}}"#));
    }

    /// For what ends the connection.
    pub fn into_peer(self) -> Peer {
        self.peer
    }
}

impl Deref for BinancePeer {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}

impl DerefMut for BinancePeer {
    fn deref_mut(&mut self) -> &mut Peer {
        &mut self.peer
    }
}
