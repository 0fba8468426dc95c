//! A subscription that survives restarts of the daemon and of the network: it connects again as the protocol says, and goes
//! on where it was.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::time::Instant;

use serde_json::{Value, json};

use crate::connection::Connection;
use crate::failure::{Failure, Then};
use crate::message::{Closing, Message, Notice, Refusal, Subscribed, Tick, feed, is_pattern, skipped};
use crate::past::{self, Since};
use crate::pause::Pause;
use crate::target::Target;

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Topics and patterns.
    pub topics: Vec<String>,
    /// As in PROTOCOL.md: `1s`.
    pub rate: Option<String>,
    /// Every tick, and none merged.
    pub all: bool,
    /// The closed bars of this period in place of the ticks.
    pub bars: Option<Period>,
    pub since: Option<Since>,
}

/// A period of bars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// As it is in names of topics: `1m`.
    pub name: String,
    pub ms: u64,
}

/// What comes, in its order.
#[derive(Debug)]
pub enum Happening<'a> {
    /// A tick: the text as it came, and what it says.
    Tick(&'a str, &'a Tick<'a>),
    /// Something that the reader of the ticks should know.
    Told(String),
    /// Nothing for a moment.
    Idle,
}

/// Names in one command. Each may be there twice, with 180 bytes, and a command has 64 KiB at most.
const NAMES_AT_ONCE: usize = 150;
/// Topics whose place is remembered. Above that all are forgotten, and what came is not told from what comes again.
const PLACES_MAX: usize = 1_000_000;
/// The topics of closed bars.
const BARS: &str = "tickerd.bars.";

impl Wish {
    /// What to subscribe to for this topic or pattern.
    pub(crate) fn name(&self, topic: &str) -> String {
        match &self.bars {
            Some(Period { name, .. }) => format!("tickerd.bars.{name}.{topic}"),
            None => topic.to_owned(),
        }
    }
}

/// Where the reader is.
#[derive(Default)]
struct Place {
    epoch: String,
    /// By first segment, whose numbers its topics have, where that is not `epoch`.
    epochs: HashMap<String, String>,
    /// The newest `seq` of each topic.
    seqs: HashMap<String, u64>,
    /// Those of the connection before. A tick that is not newer has come already.
    before: HashMap<String, u64>,
    /// How each granted topic comes.
    is_whole: HashMap<String, bool>,
}

/// Subscribes and hands on what comes, until `on` has enough or the daemon ends it for good.
///
/// # Errors
/// The first connection fails, all of the wish is refused, or the daemon says not to come back.
pub fn follow(
    target: &Target,
    wish: &Wish,
    mut on: impl FnMut(Happening<'_>) -> ControlFlow<()>,
) -> Result<(), Failure> {
    let mut place = Place::default();
    let mut is_first = true;
    let mut pause = Pause::default();
    loop {
        let connected = Connection::open(target);
        let (failure, window) = match connected {
            Ok(mut connection) => {
                pause = Pause::default();
                if !is_first && on(Happening::Told("connected again".to_owned())).is_break() {
                    return Ok(());
                }
                match serve(&mut connection, wish, &mut place, is_first, &mut on) {
                    Ok(()) => {
                        connection.close();
                        return Ok(());
                    }
                    Err(failure) => {
                        is_first = place.epoch.is_empty();
                        (Some(failure), connection.window())
                    }
                }
            }
            Err(failure) if is_first || failure.then() == Then::Stop => return Err(failure),
            // It was told that the connection is lost. That it is still lost is no news.
            Err(Failure::Away { after, .. }) => {
                pause.at_least(after.unwrap_or_default());
                (None, None)
            }
            Err(_) => (None, None),
        };
        let then = failure.as_ref().map_or(Then::BackOff, Failure::then);
        let Some((from, to)) = pause.next(then, window) else { return failure.map_or(Ok(()), Err) };
        if let Some(failure) = failure
            && on(Happening::Told(format!("{failure}; connecting again"))).is_break()
        {
            return Ok(());
        }
        let until = Instant::now() + rand::random_range(from..=to);
        while Instant::now() < until {
            std::thread::sleep(until.saturating_duration_since(Instant::now()).min(crate::stream::SLICE));
            if on(Happening::Idle).is_break() {
                return Ok(());
            }
        }
    }
}

/// One connection's life. `Ok`: `on` has enough.
fn serve(
    connection: &mut Connection,
    wish: &Wish,
    place: &mut Place,
    is_first: bool,
    on: &mut impl FnMut(Happening<'_>) -> ControlFlow<()>,
) -> Result<(), Failure> {
    let mut since = BTreeMap::new();
    let epoch = connection.hello.epoch.clone();
    if is_first {
        if let Some(wanted) = wish.since {
            let past::Begin { seqs, epochs, more } = past::begin(connection, wish, wanted)?;
            (since, place.epochs) = (seqs, epochs);
            if more
                && tell(
                    on,
                    "there are more topics than a connection may name; the past of the others does not come",
                )
            {
                return Ok(());
            }
        }
    } else if epoch != place.epoch {
        let told = "the daemon counts anew since its restart: what came in between is not known";
        place.before.clear();
        place.seqs.clear();
        place.epochs.clear();
        if tell(on, told) {
            return Ok(());
        }
    } else {
        place.before = place.seqs.clone();
        since = missed(connection, wish, place)?;
    }
    place.is_whole.clear();
    let commands = subscribe(connection, wish, since, &place.epochs)?;
    place.epoch = epoch;
    let mut answers = Vec::new();
    loop {
        let Some(text) = connection.receive()? else {
            if on(Happening::Idle).is_break() {
                return Ok(());
            }
            continue;
        };
        let Some(message) = Message::read(&text) else { continue };
        if let Some(tick) = message.tick() {
            let (is_new, missing) = place.advance(&tick, wish);
            if missing > 0 && tell(on, &format!("gap: {missing} ticks of {} did not come", tick.topic)) {
                return Ok(());
            }
            if is_new && on(Happening::Tick(&text, &tick)).is_break() {
                return Ok(());
            }
            continue;
        }
        let told = match &*message.event {
            "subscribed" => {
                let Some(answer) = message.data::<Subscribed>() else { continue };
                let told = granted(&answer, place, is_first);
                answers.push(answer);
                if is_first && answers.len() == commands {
                    refused(&answers)?;
                }
                told
            }
            "error" => match message.data::<Refusal>() {
                Some(refusal) => return Err(Failure::Refused { code: refusal.code, why: refusal.message }),
                None => continue,
            },
            "notice" => {
                let Some(notice) = message.data::<Notice>() else { continue };
                let told = words(&notice);
                let epoch = notice.epoch.filter(|_| notice.kind == "reset");
                place.epochs.extend(epoch.map(|epoch| (notice.feed, epoch)));
                told
            }
            "closing" => {
                if let Some(closing) = message.data::<Closing>() {
                    connection.note(&closing);
                }
                continue;
            }
            _ => continue,
        };
        if told.into_iter().any(|text| on(Happening::Told(text)).is_break()) {
            return Ok(());
        }
    }
}

fn tell(on: &mut impl FnMut(Happening<'_>) -> ControlFlow<()>, text: &str) -> bool {
    on(Happening::Told(text.to_owned())).is_break()
}

/// Which topics to go on with, of those that have come: all whose every tick matters.
fn missed(connection: &mut Connection, wish: &Wish, place: &Place) -> Result<BTreeMap<String, u64>, Failure> {
    let is_every = wish.all || wish.since.is_some() || wish.bars.is_some();
    let mut events: HashMap<String, bool> = HashMap::new();
    if !is_every {
        for topic in &wish.topics {
            let listed = past::list(connection, topic)?.topics;
            events.extend(listed.into_iter().map(|listed| (listed.topic, listed.class == "event")));
        }
    }
    let wanted = place.seqs.iter().filter(|(topic, _)| {
        is_every || topic.starts_with(BARS) || events.get(*topic).copied().unwrap_or_default()
    });
    let exact = wish.topics.iter().filter(|topic| !is_pattern(topic)).count();
    let room = connection.hello.limits.topics.saturating_sub(exact);
    Ok(wanted.take(room).map(|(topic, seq)| (topic.clone(), *seq)).collect())
}

/// Sends the subscription, in as many commands as it takes; how many that is.
fn subscribe(
    connection: &mut Connection,
    wish: &Wish,
    since: BTreeMap<String, u64>,
    epochs: &HashMap<String, String>,
) -> Result<usize, Failure> {
    let mut names: Vec<String> = wish.topics.iter().map(|topic| wish.name(topic)).collect();
    names.retain(|name| !since.contains_key(name));
    let epoch = connection.hello.epoch.clone();
    let with_past: Vec<(String, u64)> = since.into_iter().collect();
    let mut commands = 0;
    // First those by name: a topic that a pattern brings as well then comes once, and whole.
    for part in with_past.chunks(NAMES_AT_ONCE) {
        let seqs: serde_json::Map<String, Value> =
            part.iter().map(|(topic, seq)| (topic.clone(), (*seq).into())).collect();
        let topics: Vec<&String> = part.iter().map(|(topic, _)| topic).collect();
        let of = |topic: &String| epochs.get(feed(topic)).unwrap_or(&epoch).as_str();
        let epoch: Value = match topics.iter().all(|topic| of(topic) == epoch) {
            true => epoch.as_str().into(),
            false => topics.iter().map(|topic| ((*topic).clone(), Value::from(of(topic)))).collect(),
        };
        let data = json!({"id": commands, "topics": topics, "since": {"epoch": epoch, "seq": seqs}});
        connection.send("subscribe", data)?;
        commands += 1;
    }
    for part in names.chunks(NAMES_AT_ONCE) {
        let mut data = json!({"id": commands, "topics": part});
        if let Some(data) = data.as_object_mut() {
            if let Some(rate) = &wish.rate {
                data.insert("rate".to_owned(), rate.as_str().into());
            }
            if wish.all {
                data.insert("mode".to_owned(), "all".into());
            }
        }
        connection.send("subscribe", data)?;
        commands += 1;
    }
    Ok(commands)
}

/// What there is to say about an answer.
fn granted(answer: &Subscribed, place: &mut Place, is_first: bool) -> Vec<String> {
    let mut told: Vec<String> =
        answer.failed.iter().map(|failed| format!("{}: {}", failed.topic, failed.message)).collect();
    for granted in &answer.topics {
        place.is_whole.insert(granted.topic.clone(), granted.mode == "all");
        let epoch = granted.epoch.clone();
        place.epochs.extend(epoch.map(|epoch| (feed(&granted.topic).to_owned(), epoch)));
        if let (Some(hint), true) = (&granted.hint, is_first) {
            told.push(format!("{} has not spoken yet; {hint}", granted.topic));
        }
        if granted.recovered == Some(false) {
            told.push(format!("gap: some ticks of {} are not kept any more", granted.topic));
        }
    }
    for granted in &answer.patterns {
        place.epochs.extend(granted.epochs.clone());
        if let (Some(hint), true) = (&granted.hint, is_first) {
            told.push(format!("{}: {hint}", granted.pattern));
        }
    }
    told
}

/// A failure if nothing at all was granted.
fn refused(answers: &[Subscribed]) -> Result<(), Failure> {
    let is_granted = answers.iter().any(|answer| !answer.topics.is_empty() || !answer.patterns.is_empty());
    match answers.iter().flat_map(|answer| &answer.failed).next() {
        Some(failed) if !is_granted => {
            Err(Failure::Refused { code: failed.code, why: format!("{}: {}", failed.topic, failed.message) })
        }
        _ => Ok(()),
    }
}

impl Place {
    /// Goes on to this tick: whether it is new, and how many came before it that did not come although each matters.
    fn advance(&mut self, tick: &Tick<'_>, wish: &Wish) -> (bool, u64) {
        // Direct messages are counted apart.
        if tick.to.is_some() {
            return (true, 0);
        }
        let topic = &*tick.topic;
        match self.before.get(topic) {
            Some(before) if tick.seq <= *before => return (false, 0),
            Some(_) => drop(self.before.remove(topic)),
            None => {}
        }
        if self.seqs.len() >= PLACES_MAX {
            self.seqs.clear();
        }
        let last = match self.seqs.get_mut(topic) {
            Some(last) => std::mem::replace(last, tick.seq),
            None => {
                self.seqs.insert(topic.to_owned(), tick.seq);
                return (true, 0);
            }
        };
        // Of bars, a jump is that many periods without ticks.
        let is_whole =
            (wish.all || self.is_whole.get(topic).copied().unwrap_or_default()) && !topic.starts_with(BARS);
        (true, if is_whole { skipped(last, tick.seq) } else { 0 })
    }
}

/// What a notice says, if it is for the reader of ticks.
fn words(notice: &Notice) -> Vec<String> {
    let Notice { kind, feed, state, reason, topics, patterns, removed, epoch } = notice;
    let few = |names: &[String]| {
        let shown = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        match names.len() {
            0..=5 => shown,
            more => format!("{shown} and {} more", more - 5),
        }
    };
    let text = match kind.as_str() {
        "feed" if reason.is_empty() => format!("feed {feed} is {state}"),
        "feed" => format!("feed {feed} is {state}: {reason}"),
        "stale" => format!("no news of {}", few(topics)),
        "fresh" => format!("news again of {}", few(topics)),
        "topics" if !removed.is_empty() => format!("ended: {}", few(removed)),
        "lag" => {
            "gap: ticks were skipped because they were not read in time; these are the newest".to_owned()
        }
        "reset" if epoch.is_some() => {
            format!("gap: another server sends {feed} now; ticks from before that may be missing")
        }
        "reset" => format!("gap: ticks of {} were skipped because they were not read in time", few(topics)),
        "auth_expiring" => "the token ends soon; put a new one into its file".to_owned(),
        "revoked" => {
            let names: Vec<String> = topics.iter().chain(patterns).cloned().collect();
            format!("no longer granted: {}", few(&names))
        }
        _ => return Vec::new(),
    };
    vec![text]
}
