//! The figures, as a table and as JSON.

use std::{fmt, fs, path::Path, thread};

use serde_json::{Value, json};

use crate::{error::Error, options::Options, scenario::Id, spread::Spread};

const METHOD: &str = "\
Method: daemon and reference run one after the other, in turns, with the same clients (one epoll thread in this
process) over loopback. CPU is the server process's own clock, user and kernel, over whole beats after a warm-up;
the feed prints from a process of its own, which is not counted, reading its lines is. Messages are those that
arrived. a to d: the reference is the floor, one thread that sends a ready buffer of the same frames and bytes to
each socket at each beat; in c and d it copies each client's selection together. f: the reference is the same daemon before the stalled clients came; g: a daemon without
the flooding feed; ages count from the beat until a reader has read. h: one feed says all it can, nobody subscribes.
i to k: the same daemon with the same load in JSON text frames. l: so many times what a quarter, or half, of the topics
cost. m: the same clients without recoveries. n, o: the floor encrypts too. q: nginx with TLS in front of the daemon, both
counted. r: all with the same rights. s: the same clients while nobody comes.
t: the same feed without bars. u: the same clients while nobody fetches. v: ages count from the sample, and the floor's from
its send; CPU beside the same at beats. w, x: plain JSON. y: each message compressed by itself. z: a floor
that accepts, reads and answers. Memory is VmRSS, without the
kernel's socket buffers. Ratios are per repeat.
";

/// One thing measured, once per repeat.
#[derive(Debug)]
pub struct Row {
    id: Id,
    what: String,
    unit: &'static str,
    daemon: Vec<f64>,
    reference: Vec<f64>,
    at_most: Option<f64>,
    at_least: Option<f64>,
    ratio_at_most: Option<f64>,
}

impl Row {
    pub fn new(id: Id, what: impl Into<String>, unit: &'static str, daemon: Vec<f64>) -> Self {
        Self {
            id,
            what: what.into(),
            unit,
            daemon,
            reference: Vec::new(),
            at_most: None,
            at_least: None,
            ratio_at_most: None,
        }
    }

    /// What the same repeats gave for the reference.
    pub fn beside(self, reference: Vec<f64>) -> Self {
        Self { reference, ..self }
    }

    pub fn at_most(self, target: f64) -> Self {
        Self { at_most: Some(target), ..self }
    }

    pub fn at_least(self, target: f64) -> Self {
        Self { at_least: Some(target), ..self }
    }

    pub fn ratio_at_most(self, target: f64) -> Self {
        Self { ratio_at_most: Some(target), ..self }
    }

    /// How far the reference differs from itself: largest over smallest.
    pub fn noise(&self) -> f64 {
        Spread::of(&self.reference).map_or(1.0, |spread| spread.max / spread.min.max(f64::MIN_POSITIVE))
    }

    fn ratio(&self) -> Option<Spread> {
        let pairs = self.daemon.iter().zip(&self.reference);
        let ratios: Vec<_> =
            pairs.filter(|(_, floor)| **floor > 0.0).map(|(own, floor)| own / floor).collect();
        Spread::of(&ratios)
    }

    /// Whether the medians meet the target, if there is one.
    fn met(&self) -> Option<bool> {
        let within = |spread: Option<Spread>, target: Option<f64>| Some(spread?.median <= target?);
        let own = Spread::of(&self.daemon);
        let least = self.at_least.and_then(|target| Some(own?.median >= target));
        within(own, self.at_most).or(least).or(within(self.ratio(), self.ratio_at_most))
    }

    fn json(&self) -> Value {
        json!({
            "scenario": self.id.letter().to_string(),
            "what": self.what,
            "unit": self.unit,
            "daemon": Spread::of(&self.daemon).map(Spread::json),
            "reference": Spread::of(&self.reference).map(Spread::json),
            "ratio": self.ratio().map(Spread::json),
            "at_most": self.at_most,
            "at_least": self.at_least,
            "ratio_at_most": self.ratio_at_most,
            "met": self.met(),
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what =
            if self.unit.is_empty() { self.what.clone() } else { format!("{}, {}", self.what, self.unit) };
        let target = match (self.at_most, self.at_least, self.ratio_at_most) {
            (Some(target), ..) => format!("≤ {target}"),
            (_, Some(target), _) => format!("≥ {target}"),
            (.., Some(target)) => format!("≤ {target:.2} ×"),
            (None, None, None) => String::new(),
        };
        let met = self.met().map_or("", |met| if met { "met" } else { "MISSED" });
        let daemon = cell(Spread::of(&self.daemon));
        let (reference, ratio) = (cell(Spread::of(&self.reference)), cell(self.ratio()));
        let line =
            format!("{}  {what:<40} {daemon:<26} {reference:<26} {ratio:<20} {target:<9} {met}", self.id);
        writeln!(f, "{}", line.trim_end())
    }
}

/// Median, and from smallest to largest.
fn cell(spread: Option<Spread>) -> String {
    let Some(Spread { min, median, max }) = spread else { return String::new() };
    let decimals = if max >= 1_000.0 { 0 } else { 2 };
    format!("{median:.decimals$} ({min:.decimals$}–{max:.decimals$})")
}

pub struct Report {
    rows: Vec<Row>,
    seconds: u64,
    repeats: u16,
    quick: bool,
}

impl Report {
    pub fn new(options: &Options) -> Self {
        let (seconds, repeats) = (options.window().as_secs(), options.repeats());
        Self { rows: Vec::new(), seconds, repeats, quick: options.quick }
    }

    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Tells on stderr what is being measured.
    pub fn progress(&self, id: Id, repeat: u16) {
        eprintln!("scenario {id}, {} of {}", repeat + 1, self.repeats);
    }

    pub fn missed(&self) -> bool {
        self.rows.iter().any(|row| row.met() == Some(false))
    }

    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let figures = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "seconds": self.seconds,
            "repeats": self.repeats,
            "quick": self.quick,
            "cores": cores(),
            "kernel": kernel(),
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        });
        fs::write(path, format!("{figures:#}\n")).map_err(Error::io("writing the JSON file"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds, repeats, .. } = self;
        writeln!(f, "{METHOD}")?;
        writeln!(
            f,
            "{seconds} s windows, {repeats} repeats, median (smallest–largest); {} cores, Linux {}",
            cores(),
            kernel()
        )?;
        if self.quick {
            writeln!(f, "A smoke run: these figures mean nothing.")?;
        }
        writeln!(f, "   {:<40} {:<26} {:<26} {:<20} target", "", "daemon", "reference", "ratio")?;
        self.rows.iter().try_for_each(|row| write!(f, "{row}"))
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(0, Into::into)
}

fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").map(|text| text.trim().into()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_held_against_the_median() {
        let row = |daemon: [f64; 3]| Row::new(Id::A, "CPU", "ns", daemon.to_vec()).beside(vec![100.0; 3]);
        assert_eq!(row([90.0, 110.0, 300.0]).ratio_at_most(1.15).met(), Some(true));
        assert_eq!(row([90.0, 120.0, 130.0]).ratio_at_most(1.15).met(), Some(false));
        assert_eq!(row([90.0, 120.0, 130.0]).met(), None);
        assert_eq!(Row::new(Id::D, "late beats", "", vec![0.0]).at_most(0.0).met(), Some(true));
        assert_eq!(Row::new(Id::H, "samples", "k/s", vec![499.0]).at_least(500.0).met(), Some(false));
        assert_eq!(Row::new(Id::H, "samples", "k/s", vec![501.0]).at_least(500.0).met(), Some(true));
        assert_eq!(Row::new(Id::D, "late beats", "", vec![1.0]).at_most(0.0).met(), Some(false));
    }
}
