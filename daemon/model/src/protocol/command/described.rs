//! Describes the commands for documents such as AsyncAPI: name, schema, answer, and what each does.

use schemars::SchemaGenerator;

use super::data::{
    AuthData, HistoryData, MatchData, NoData, PingData, PublishData, SubscribeData, TopicData, TopicsData,
};
use crate::protocol::shape::Shape;

/// The description of one command.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its name and the schema of its data.
    pub shape: Shape,
    /// The events that answer it when it goes well and has an id: one of them. A variant stands behind a dot.
    pub answers: &'static [&'static str],
    /// What it does.
    pub about: &'static str,
}

/// Every command that [`super::parse`] reads.
pub fn described(generator: &mut SchemaGenerator) -> Vec<Described> {
    let of =
        |name, data, answers, about| Described { shape: Shape { name, variant: None, data }, answers, about };
    let subscribe = generator.subschema_for::<SubscribeData>();
    let topics = generator.subschema_for::<TopicsData>();
    let history = generator.subschema_for::<HistoryData>();
    let nothing = generator.subschema_for::<NoData>();
    let (publish, topic) =
        (generator.subschema_for::<PublishData<'_>>(), generator.subschema_for::<TopicData>());
    let (matching, ping) =
        (generator.subschema_for::<MatchData>(), generator.subschema_for::<PingData<'_>>());
    let auth = generator.subschema_for::<AuthData>();
    vec![
        of("subscribe", subscribe, &["subscribed"], "Subscribes, or changes the rate of subscriptions."),
        of("unsubscribe", topics.clone(), &["unsubscribed"], "Ends subscriptions."),
        of("subscriptions", nothing, &["subscriptions"], "Lists this connection's subscriptions."),
        of("topics", matching, &["topics"], "Lists the topics there are."),
        of("get", topics, &["values"], "Asks for newest values once."),
        of(
            "history",
            history,
            &["history", "history.bars"],
            "Asks for the newest ticks of one topic that are kept, or for its bars.",
        ),
        of("publish", publish, &["published"], "Says something in a declared topic, to all there or to one."),
        of("presence", topic, &["presence"], "Asks who is subscribed to a declared topic."),
        of("ping", ping, &["pong"], "Asks for a sign of life."),
        of("auth", auth, &["authenticated"], "Says who the client is, or renews that before it ends."),
    ]
}
