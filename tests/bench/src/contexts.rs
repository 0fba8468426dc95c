//! What a shared context costs beside plain messages (v, w), beside a context for each connection as other servers have it (w),
//! and where there is nothing to share (x).

use std::{
    io::{self, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use flate2::{Compress, Compression, FlushCompress};

use crate::{
    broadcast::{self, Load, Terms},
    dialect::Dialect,
    error::Error,
    feed,
    options::Options,
    report::{Report, Row},
    scenario::Id,
    wall,
    window::Cost,
};

/// The level and the window that the daemon has by default.
const LEVEL: u32 = 6;
const WINDOW_BITS: u8 = 13;
/// The part of the plain bytes that is aimed at.
const BYTES_AT_MOST: f64 = 0.25;

/// The load with shared contexts and plain, in turns; with `is_beside` also with a context for each connection.
pub fn run(
    id: Id,
    load: &Load,
    is_beside: bool,
    options: &Options,
    report: &mut Report,
) -> Result<(), Error> {
    let terms = |dialect| Terms { dialect, ..Terms::default() };
    let [mut shared, mut plain, mut each] = [const { Vec::new() }; 3];
    for repeat in 0..options.repeats() {
        report.progress(id, repeat);
        if repeat % 2 == 1 {
            plain.push(broadcast::of_daemon(id, load, terms(Dialect::Json), options)?);
        }
        shared.push(broadcast::of_daemon(id, load, terms(Dialect::Shared), options)?);
        if plain.len() < shared.len() {
            plain.push(broadcast::of_daemon(id, load, terms(Dialect::Json), options)?);
        }
        if is_beside {
            each.push(broadcast::of_contexts(load, options)?);
        }
    }
    let figures = |costs: &[Cost], figure: fn(&Cost) -> f64| costs.iter().map(figure).collect::<Vec<_>>();
    let bytes: fn(&Cost) -> f64 = |cost| cost.tick_bytes as f64 / cost.ticks.max(1) as f64;
    let beside = |what: &str, unit, costs: &[Cost], figure| {
        Row::new(id, what, unit, figures(costs, figure)).beside(figures(&plain, figure))
    };
    let row = beside("CPU per message", "ns", &shared, Cost::ns_per_message);
    report.add(load.ratio_at_most.into_iter().fold(row, Row::ratio_at_most));
    report.add(beside("bytes per message", "B", &shared, bytes).ratio_at_most(BYTES_AT_MOST));
    report.add(beside("memory", "MiB", &shared, Cost::mib));
    if is_beside {
        report.add(beside("a context each: CPU per message", "ns", &each, Cost::ns_per_message));
        report.add(beside("a context each: bytes per message", "B", &each, bytes));
        report.add(beside("a context each: memory", "MiB", &each, Cost::mib));
    }
    Ok(())
}

/// Compresses the same quotes for each socket in a context of its own, and sends them, until a client leaves.
pub fn serve(sockets: Vec<TcpStream>, topics: usize, interval: Duration) -> io::Result<()> {
    let context = || Compress::new_with_window_bits(Compression::new(LEVEL), false, WINDOW_BITS);
    let mut sockets: Vec<_> = sockets.into_iter().map(|socket| (socket, context())).collect();
    let (mut payload, mut frames) = (Vec::new(), Vec::new());
    let mut beat = Instant::now() + wall::until(wall::now(), interval, 0.0);
    for round in 0.. {
        let texts: Vec<String> = (0..topics).map(|topic| feed::envelope(topic, round)).collect();
        thread::sleep(beat.saturating_duration_since(Instant::now()));
        for (socket, context) in &mut sockets {
            frames.clear();
            for text in &texts {
                payload.clear();
                payload.reserve(text.len() + 64);
                context.compress_vec(text.as_bytes(), &mut payload, FlushCompress::Sync)?;
                let len = payload.len().saturating_sub(4);
                match len {
                    0..126 => frames.extend([0xc1, len as u8]),
                    _ => frames.extend([&[0xc1, 126][..], &(len as u16).to_be_bytes()].concat()),
                }
                frames.extend_from_slice(payload.get(..len).unwrap_or_default());
            }
            socket.write_all(&frames)?;
        }
        beat += interval;
    }
    Ok(())
}
