//! Coinbase Exchange's WebSocket feed, in the shapes its documentation has in September 2026.

use std::ops::{Deref, DerefMut};

use serde_json::Value;

use crate::{Peer, Sockets};

/// Coinbase, which knows some products.
pub struct Coinbase {
    sockets: Sockets,
    known: Vec<(String, String)>,
}

/// A connection whose subscription is confirmed.
pub struct CoinbasePeer {
    peer: Peer,
    /// The subscription that was confirmed.
    pub subscription: Value,
    /// The last number of a change to any book.
    sequence: u64,
}

impl Coinbase {
    /// Knows `known`: products with their last prices.
    pub fn start(known: &[(&str, &str)]) -> Coinbase {
        let known = known.iter().map(|(product, last)| (product.to_string(), last.to_string())).collect();
        Coinbase { sockets: Sockets::start(), known }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        self.sockets.url()
    }

    /// For what happens before Coinbase's protocol begins.
    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Takes a connection and answers what it subscribes to: a ticker for each product, or a refusal of the whole for
    /// the first that is not known, and again.
    pub fn accept(&self) -> CoinbasePeer {
        let mut peer = self.sockets.accept();
        loop {
            let subscription = peer.expect("subscribe");
            let products: Vec<_> = subscription["product_ids"].as_array().into_iter().flatten().collect();
            let last =
                |product: &Value| self.known.iter().find(|(known, _)| product == known).map(|(_, last)| last);
            if let Some(unknown) = products.iter().find(|product| last(product).is_none()) {
                peer.send(format!(
                    r#"{{"type":"error","message":"Failed to subscribe","reason":"{} is not a valid product"}}"#,
                    unknown.as_str().unwrap_or_default()
                ));
                if products.len() > 1 {
                    continue;
                }
            }
            peer.send(format!(r#"{{"type":"subscriptions","channels":{}}}"#, subscription["channels"]));
            let mut coinbase =
                CoinbasePeer { peer, subscription: subscription.clone(), sequence: 37_475_248_000 };
            for product in products {
                if let (Some(product), Some(last)) = (product.as_str(), last(product)) {
                    coinbase.ticker(product, last);
                }
            }
            return coinbase;
        }
    }
}

impl CoinbasePeer {
    /// The next number; there are holes.
    pub fn count(&mut self) -> u64 {
        self.sequence += 7;
        self.sequence
    }

    /// A new price.
    pub fn ticker(&mut self, product: &str, price: &str) {
        let sequence = self.count();
        self.ticker_of(product, price, sequence);
    }

    /// A price with another number.
    pub fn ticker_of(&mut self, product: &str, price: &str, sequence: u64) {
        self.send(format!(
            r#"{{"type":"ticker","sequence":{sequence},"product_id":"{product}","price":"{price}","open_24h":"0.95","volume_24h":"245532.79","low_24h":"0.90","high_24h":"99999.9","volume_30d":"7.1","best_bid":"{price}","best_bid_size":"0.46000000","best_ask":"{price}","best_ask_size":"1.56","side":"buy","time":"2026-11-20T12:00:01.061769Z","trade_id":370843401,"last_size":"11.43"}}"#
        ));
    }

    /// A trade in which a buyer took a seller's offer. `kind` is `match` or `last_match`.
    pub fn trade(&mut self, kind: &str, product: &str, id: u64, price: &str) {
        let sequence = self.count();
        self.send(format!(
            r#"{{"type":"{kind}","trade_id":{id},"maker_order_id":"a","taker_order_id":"b","side":"sell","size":"0.00031874","price":"{price}","product_id":"{product}","sequence":{sequence},"time":"2026-11-20T12:00:02.198335Z"}}"#
        ));
    }

    /// What it says each second for each product.
    pub fn heartbeat(&mut self, product: &str) {
        let sequence = self.count();
        self.send(format!(
            r#"{{"type":"heartbeat","sequence":{sequence},"last_trade_id":1,"product_id":"{product}","time":"2026-11-20T12:00:03.464459Z"}}"#
        ));
    }

    /// For what ends the connection.
    pub fn into_peer(self) -> Peer {
        self.peer
    }
}

impl Deref for CoinbasePeer {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}

impl DerefMut for CoinbasePeer {
    fn deref_mut(&mut self) -> &mut Peer {
        &mut self.peer
    }
}
