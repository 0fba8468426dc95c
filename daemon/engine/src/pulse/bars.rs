//! Bars in the pulse: which fields they are made of, when they get too old, and what is told of them.

use std::sync::Arc;
use std::time::Duration;

use super::answers::Desk;
use super::metrics::BarsMetrics;
use crate::exchange::past_bars::{Found, PastBars, Span};
use tickerd_config::{self as config, FeedBars};
use tickerd_model::bars::member::Member;
use tickerd_model::bars::plan::{Period, Plan};
use tickerd_model::bars::{Bars, Spec, Specs};
use tickerd_model::fields::Role;
use tickerd_model::lane::Lane;
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::protocol::rate::period_name;
use tickerd_model::source::SourceId;

/// The periods that are configured.
pub fn plan(bars: &config::Bars) -> Plan {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let period = |keep: &config::Keep| Period {
        name: period_name(keep.period).into(),
        ms: ms(keep.period),
        keep_ms: ms(keep.age),
    };
    Plan::new(bars.keep.iter().map(period).collect())
}

/// What a feed's bars are made of, as it is configured and as the feed said.
#[derive(Debug, Default)]
pub(super) struct Fields {
    configured: FeedBars,
    /// See [`Lane::fields_generation`]; none: never looked at.
    seen: Option<u64>,
}

impl Fields {
    pub fn new(configured: FeedBars) -> Fields {
        Fields { configured, seen: None }
    }

    /// Whether they are configured so.
    pub fn is_of(&self, configured: &FeedBars) -> bool {
        self.configured == *configured
    }

    /// What bars are made of, if that is new.
    pub fn look(&mut self, lane: &Lane) -> Option<Specs> {
        let generation = lane.fields_generation();
        if self.seen.replace(generation) == Some(generation) {
            return None;
        }
        let by_kind = || {
            let all = lane.all_fields();
            let spec = |fields: &tickerd_model::fields::Fields| {
                let size = fields.by_role(Role::Size).map(|field| Member::new(&field.name));
                Some(Arc::new(Spec { main: Member::new(fields.main.as_deref()?), size }))
            };
            all.iter().filter_map(|(kind, fields)| Some((kind.clone(), spec(fields)?))).collect()
        };
        Some(match &self.configured {
            FeedBars::Auto => Specs::ByKind(by_kind()),
            FeedBars::Off => Specs::ByKind(Default::default()),
            FeedBars::Field { field, volume } => Specs::All(Arc::new(Spec {
                main: Member::new(field),
                size: volume.as_deref().map(Member::new),
            })),
        })
    }
}

impl Desk<'_> {
    /// The bars of a topic; or why there are none.
    pub fn bars(&mut self, topic: String, span: &Span) -> Found {
        let Desk { bars, board, .. } = self;
        let plan = bars.plan();
        let Some(period) = find_period(plan, &span.period) else {
            return Err(ProtocolError::new(Code::BadRequest, not_kept(plan, &span.period)));
        };
        let name = plan.periods().get(period).map(|period| period.name.clone()).unwrap_or_default();
        if let Some(past) = bars.past(&topic, period, span.limit, span.before) {
            return Ok(PastBars { topic, period: name, past });
        }
        let why = match board.find(&topic) {
            None => "the topic has not spoken yet".to_owned(),
            Some(_) => format!(
                "no bars are kept of {topic}: the schema of its kind marks no main field; a feed's bars can name one: \
                 bars = {{ field = \"price\" }}"
            ),
        };
        Err(ProtocolError::new(Code::UnknownTopic, why))
    }
}

/// The period of this name, or of this length: `60s` is `1m`.
fn find_period(plan: &Plan, text: &str) -> Option<usize> {
    plan.find(text).or_else(|| plan.find(&period_name(config::read_duration(text).ok()?)))
}

fn not_kept(plan: &Plan, text: &str) -> String {
    let text: String = text.chars().take(20).collect();
    let kept: Vec<&str> = plan.periods().iter().map(|period| &*period.name).collect();
    match kept.is_empty() {
        true => "this server keeps no bars".to_owned(),
        false => format!("bars of {text:?} are not kept here; the periods are {}", kept.join(", ")),
    }
}

/// Counts what was lost of bars. `feed` names a source.
pub(super) fn count<'a>(bars: &mut Bars, metrics: &BarsMetrics, feed: impl Fn(SourceId) -> Option<&'a str>) {
    metrics.set(bars);
    let counts = bars.take_counts();
    for ((source, why), ticks) in &counts.unusable {
        feed(*source).into_iter().for_each(|feed| metrics.count_unusable(feed, *why, *ticks));
    }
    if counts.ahead > 0 {
        let bars = counts.ahead;
        tracing::warn!(bars, "the clock was set back: bars that lie ahead of it are dropped");
    }
    metrics.count(&counts);
}
