//! Crypto quotes and trades from Kraken, Coinbase or Binance.
