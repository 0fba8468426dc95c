//! Stock quotes and trades from Finnhub, Alpaca or Yahoo.
