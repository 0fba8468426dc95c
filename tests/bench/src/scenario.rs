//! The scenarios: their sizes and their targets.

use std::{fmt, time::Duration};

use clap::ValueEnum;

use crate::{
    arrival, bars,
    broadcast::{self, Link, Load, Terms},
    contexts,
    dialect::Dialect,
    error::Error,
    idle, intake, neighbour,
    nginx::Nginx,
    options::Options,
    patterns, recovery,
    report::Report,
    stall, storm,
};

/// What costs the same may differ by so much.
const NOISE: f64 = 1.05;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Id {
    A,
    B,
    C,
    D,
    E,
    F,
    G,
    H,
    I,
    J,
    K,
    L,
    M,
    N,
    O,
    P,
    Q,
    R,
    S,
    T,
    U,
    V,
    W,
    X,
    Y,
    Z,
}

impl Id {
    pub const ALL: [Self; 26] = [
        Self::A,
        Self::B,
        Self::C,
        Self::D,
        Self::E,
        Self::F,
        Self::G,
        Self::H,
        Self::I,
        Self::J,
        Self::K,
        Self::L,
        Self::M,
        Self::N,
        Self::O,
        Self::P,
        Self::Q,
        Self::R,
        Self::S,
        Self::T,
        Self::U,
        Self::V,
        Self::W,
        Self::X,
        Self::Y,
        Self::Z,
    ];

    pub fn letter(self) -> char {
        match self {
            Self::A => 'a',
            Self::B => 'b',
            Self::C => 'c',
            Self::D => 'd',
            Self::E => 'e',
            Self::F => 'f',
            Self::G => 'g',
            Self::H => 'h',
            Self::I => 'i',
            Self::J => 'j',
            Self::K => 'k',
            Self::L => 'l',
            Self::M => 'm',
            Self::N => 'n',
            Self::O => 'o',
            Self::P => 'p',
            Self::Q => 'q',
            Self::R => 'r',
            Self::S => 's',
            Self::T => 't',
            Self::U => 'u',
            Self::V => 'v',
            Self::W => 'w',
            Self::X => 'x',
            Self::Y => 'y',
            Self::Z => 'z',
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter())
    }
}

pub fn run(id: Id, options: &Options, report: &mut Report) -> Result<(), Error> {
    let quick = options.quick;
    let size = |full, small| if quick { small } else { full };
    let ms = Duration::from_millis;
    let load = |clients, topics, own, interval, churn_per_s, ratio_at_most| Load {
        clients,
        topics,
        own,
        interval,
        churn_per_s,
        ratio_at_most,
    };
    match id {
        // One topic, 20 times a second; plain, and with TLS.
        Id::A | Id::N => {
            let (link, ratio) = if id == Id::N { (Link::Tls, 1.2) } else { (Link::Plain, 1.15) };
            broadcast::run(id, &load(size(2_000, 40), 1, None, ms(50), 0, Some(ratio)), link, options, report)
        }
        // 100 topics, 10 times a second, to all; plain, and with TLS.
        Id::B | Id::O => {
            let (link, ratio) = if id == Id::O { (Link::Tls, 1.2) } else { (Link::Plain, 1.3) };
            broadcast::run(
                id,
                &load(size(500, 10), 100, None, ms(100), 0, Some(ratio)),
                link,
                options,
                report,
            )
        }
        // The same, to each its own 20.
        Id::C => {
            let load = load(size(500, 10), 100, Some(20), ms(100), 0, Some(1.5));
            broadcast::run(id, &load, Link::Plain, options, report)
        }
        // 10,000 topics once a second, to each its own 50, and 1,000 of those exchanged every second.
        Id::D => {
            let load = load(size(10_000, 100), size(10_000, 200), Some(50), ms(1_000), size(1_000, 20), None);
            broadcast::run(id, &load, Link::Plain, options, report)
        }
        Id::E | Id::P => idle::run(id, size(10_000, 200), id == Id::P, options, report),
        Id::F => stall::run(id, size(5_000, 100), options, report),
        Id::G => neighbour::run(id, size(200, 10), options, report),
        Id::H => intake::run(id, options, report),
        // One topic, 20 times a second, in other encodings than JSON in text frames.
        Id::I | Id::J | Id::K => {
            let (dialect, ratio_at_most) = match id {
                Id::I => (Dialect::Deflate, Some(1.3)),
                Id::J => (Dialect::Msgpack, Some(1.3)),
                _ => (Dialect::Events, None),
            };
            let load = load(size(2_000, 40), 1, None, ms(50), 0, ratio_at_most);
            let terms = Terms { dialect, ..Terms::default() };
            broadcast::compare(id, &load, [terms, Terms::default()], options, report)
        }
        // 10,000 topics once a second, and fewer, all of them to all.
        Id::L => {
            let (clients, topics) = (size(100, 5), size(10_000, 200));
            let interval = ms(if quick { 100 } else { 1_000 });
            patterns::run(id, patterns::Load { clients, topics, interval }, options, report)
        }
        // 20 topics, 10 times a second, and all who recover at once.
        Id::M => recovery::run(id, [size(500, 10), size(2_000, 20)], size(256, 8), options, report),
        // One topic, 20 times a second, with the daemon's TLS and with nginx's.
        Id::Q if !Nginx::is_there() => {
            eprintln!("scenario q is left out: nginx is not installed");
            Ok(())
        }
        Id::Q => {
            let load = load(size(2_000, 40), 1, None, ms(50), 0, Some(1.0));
            let terms = |link| Terms { link, ..Terms::default() };
            broadcast::compare(id, &load, [terms(Link::Tls), terms(Link::Nginx)], options, report)
        }
        // 100 topics, 10 times a second, to clients with as many different rights as there are clients, and with the same.
        Id::R => {
            let load = load(size(1_000, 10), 100, None, ms(100), 0, Some(NOISE));
            let terms = |sets| Terms { rights: Some(sets), ..Terms::default() };
            broadcast::compare(id, &load, [terms(load.clients), terms(1)], options, report)
        }
        Id::S => storm::run(id, [size(500, 10), size(5_000, 40)], options, report),
        // 10,000 topics with a sample each 100 ms, with bars of four periods and with none.
        Id::T => bars::made(id, size(10_000, 200), options, report),
        // 20 topics, and all who fetch 390 bars of each at once.
        Id::U => bars::fetched(id, [size(200, 10), size(1_000, 20)], options, report),
        // One topic, 20 times a second, on arrival; and 100 topics that move together, 10 times a second.
        Id::V => {
            let one = load(size(2_000, 40), 1, None, ms(50), 0, None);
            let many = load(size(500, 10), 100, None, ms(100), 0, Some(NOISE));
            arrival::run(id, &one, &many, options, report)
        }
        // As a and b, in contexts that clients share, against plain.
        Id::W => {
            let load = load(size(2_000, 40), 1, None, ms(50), 0, Some(1.15));
            contexts::run(id, &load, false, options, report)
        }
        Id::X => {
            let load = load(size(500, 20), 100, None, ms(100), 0, Some(1.15));
            contexts::run(id, &load, true, options, report)
        }
        // 1,000 clients that may share contexts and ask for different things, against each message compressed by itself.
        Id::Y => {
            let load = load(size(1_000, 20), 100, Some(20), ms(100), 0, Some(NOISE));
            let terms = |dialect| Terms { dialect, ..Terms::default() };
            broadcast::compare(id, &load, [terms(Dialect::Shared), terms(Dialect::Deflate)], options, report)
        }
        // All who were there come back to a daemon that has just begun.
        Id::Z => storm::again(id, size(10_000, 200), options, report),
    }
}
