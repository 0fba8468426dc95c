//! `tickerd-bench`: what one delivery costs tickerd, beside the least it could cost.

mod arrival;
mod bars;
mod broadcast;
mod contexts;
mod cpu;
mod daemon;
mod dialect;
mod error;
mod feed;
mod floor;
mod idle;
mod intake;
mod latency;
mod line;
mod memory;
mod neighbour;
mod nginx;
mod options;
mod patterns;
mod recovery;
mod replay;
mod report;
mod rights;
mod scenario;
mod sealed;
mod server;
mod spread;
mod stall;
mod storm;
mod subscriber;
mod swarm;
mod tls;
mod walker;
mod wall;
mod window;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    options::{Options, Part},
    report::Report,
};

fn main() -> ExitCode {
    let mut options = Options::parse();
    let done = match options.part.take() {
        Some(Part::Floor(floor)) => floor::run(&floor),
        Some(Part::Feed(feed)) => feed::run(&feed),
        Some(Part::Become(command)) => Err(server::become_command(&command)),
        None => bench(&options),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tickerd-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<ExitCode, error::Error> {
    let mut report = Report::new(options);
    for id in options.scenarios() {
        scenario::run(id, options, &mut report)?;
    }
    print!("{report}");
    if let Some(path) = &options.json {
        report.save(path)?;
    }
    let missed = options.check && report.missed();
    Ok(if missed { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
