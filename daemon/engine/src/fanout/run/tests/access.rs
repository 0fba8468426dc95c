//! What clients get for who they are: a judge that knows a few words stands in for tokens.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use serde_json::{Value, json};

use super::*;
use crate::exchange::access::{Brought, Judge, Redeemed, Shown, Then, TicketPlace};
use crate::exchange::question::About;
use crate::fanout::run::sweep::GRACE_MS;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::rights::{Rights, Verb};
use tickerd_model::access::secret::Secret;
use tickerd_model::topic::Pattern;
use tickerd_process::clock::now_unix_ms;

/// A token is `user pattern,pattern lifetime-in-ms`.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) anonymous: Mutex<Vec<&'static str>>,
    revoked: Mutex<Option<Box<str>>>,
    revocations: AtomicU64,
}

pub(super) fn rights<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Arc<Rights> {
    let mut rights = Rights::none();
    for pattern in patterns.into_iter().filter(|pattern| !pattern.is_empty()) {
        rights.grant(Verb::Subscribe, Pattern::parse(pattern).unwrap());
    }
    Arc::new(rights)
}

impl Judge for Words {
    fn anonymous(&self) -> Arc<Identity> {
        Arc::new(Identity::anonymous(rights(self.anonymous.lock().unwrap().iter().copied())))
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn judge(&self, token: Secret, then: Then) {
        let words: Vec<&str> = token.expose().split(' ').collect();
        let [user, patterns, life] = words[..] else { return then(Err(Refusal::Unknown)) };
        let who = Identity {
            user: Some(user.into()),
            ends_ms: Some(now_unix_ms() + life.parse::<u64>().unwrap()),
            ..Identity::anonymous(rights(patterns.split(',')))
        };
        then(Ok(Arc::new(who)));
    }

    fn of_certificate(&self, _: &Shown) -> Result<Option<Arc<Identity>>, Refusal> {
        Ok(None)
    }

    fn ticket(&self, _: &Arc<Identity>, _: TicketPlace, _: &dyn Fn() -> Brought) -> Result<Secret, Refusal> {
        Err(Refusal::Busy)
    }

    fn redeem(&self, _: Secret, _: TicketPlace) -> Redeemed {
        Redeemed::Now(Err(Refusal::Ticket))
    }

    fn is_revoked(&self, who: &Identity) -> bool {
        who.user.is_some() && who.user == *self.revoked.lock().unwrap()
    }

    fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::Relaxed)
    }
}

/// A bench with `topics` topics in feed `f`, and this as what anyone may have.
fn bench(topics: usize, anonymous: &[&'static str]) -> (Bench, Arc<Words>) {
    let words = Arc::new(Words { anonymous: Mutex::new(anonymous.to_vec()), ..Words::default() });
    (Bench::with(topics, Some(words.clone())), words)
}

impl Bench {
    /// What a client is told until something of this name came.
    async fn told(&self, client: &mut Client, event: &str) -> (Vec<Value>, Value) {
        let mut before = Vec::new();
        for _ in 0..10_000 {
            let mut texts = client.read().into_iter();
            while let Some(text) = texts.next() {
                let Ok(said) = serde_json::from_str::<Value>(&text) else {
                    before.push(Value::String(text));
                    continue;
                };
                if said["event"] == event {
                    client.later = texts.collect();
                    return (before, said["data"].clone());
                }
                before.push(said);
            }
            tokio::task::yield_now().await;
        }
        panic!("no {event} came, but {before:?}");
    }

    /// The reason of the close that comes.
    async fn closed(&self, client: &mut Client) -> String {
        for _ in 0..10_000 {
            if let Some(last) = client.read().pop().filter(|text| !text.starts_with('{')) {
                return last;
            }
            tokio::task::yield_now().await;
        }
        panic!("no close came");
    }

    /// Ages the connection by this many seconds, and looks at it as each second does.
    fn pass(&self, seconds: u32) {
        let mut shard = self.shard.borrow_mut();
        for id in shard.connections.keys() {
            let conn = shard.connection(id).unwrap();
            conn.born_s = conn.born_s.wrapping_sub(seconds);
            conn.unknown_since_s = conn.unknown_since_s.wrapping_sub(seconds);
        }
        shard.sweep();
    }
}

fn auth(token: &str) -> String {
    json!({ "event": "auth", "data": { "id": 1, "token": token } }).to_string()
}

fn subscribe(topics: &[&str]) -> String {
    json!({ "event": "subscribe", "data": { "id": 2, "topics": topics } }).to_string()
}

#[test]
fn nothing_is_granted_before_a_token_and_its_share_after() {
    run(async {
        let (mut bench, _) = bench(4, &[]);
        bench.push(1).await;
        let mut client = bench.client(&["f.1"]).await;
        client.say(1, &[&subscribe(&["f.0", "f.*"])]);
        let (_, none) = bench.told(&mut client, "subscribed").await;
        assert_eq!(
            none["failed"].as_array().unwrap().iter().map(|f| &f["code"]).collect::<Vec<_>>(),
            [401, 401]
        );
        client.say(1, &[&auth("ann f.0,f.1 100000")]);
        let (_, who) = bench.told(&mut client, "authenticated").await;
        assert_eq!((&who["user"], &who["id"]), (&json!("ann"), &json!(1)));
        // What the address asked for has waited for that.
        let (_, opened) = bench.told(&mut client, "subscribed").await;
        assert_eq!(opened["topics"][0]["topic"], "f.1");
        client.say(1, &[&subscribe(&["f.0", "f.2", "f.**", "g.*"])]);
        let (_, some) = bench.told(&mut client, "subscribed").await;
        assert_eq!(some["patterns"][0]["count"], 2, "{some}");
        let failed: Vec<_> =
            some["failed"].as_array().unwrap().iter().map(|f| (&f["topic"], &f["code"])).collect();
        assert_eq!(failed, [(&json!("f.2"), &json!(403)), (&json!("g.*"), &json!(403))]);
        client.read();
        bench.push(1).await;
        let got: Vec<String> = seqs(&client.read()).into_iter().map(|(topic, _)| topic).collect();
        assert_eq!(got, ["f.0", "f.1"]);
        client.say(1, &[r#"{"event":"topics","data":{}}"#]);
        let (_, listed) = bench.told(&mut client, "topics").await;
        assert_eq!(listed["topics"].as_array().unwrap().len(), 2);
    });
}

/// Those whose patterns are granted whole share a cohort, whatever else they may do; those with the same part share one too.
#[test]
fn cohorts_are_shared_by_those_who_get_the_same() {
    run(async {
        let (bench, _) = bench(3, &[]);
        let mut clients = Vec::new();
        for token in ["a f.** 9999999", "b **,g.x 9999999", "c f.0 9999999", "d f.0 9999999", "e f.1 9999999"]
        {
            let mut client = bench.client(&["f.*"]).await;
            client.say(1, &[&auth(token)]);
            bench.told(&mut client, "subscribed").await;
            clients.push(client);
        }
        let shard = bench.shard.borrow();
        let cohorts: Vec<_> = (0..5).map(|id| shard.connections.get(id).unwrap().cohort.unwrap()).collect();
        assert_eq!(cohorts[0], cohorts[1]);
        assert_eq!(cohorts[2], cohorts[3]);
        assert_eq!(shard.table.cohorts.count(), 3);
    });
}

#[test]
fn a_topic_that_appears_is_judged_then() {
    run(async {
        let (mut bench, _) = bench(0, &[]);
        let mut client = bench.client(&["f.**"]).await;
        client.say(1, &[&auth("ann f.1 9999999")]);
        bench.told(&mut client, "subscribed").await;
        bench.topics = (0..3).map(|at| Topic::new(&format!("f.{at}"), "q", Class::State)).collect();
        bench.push(1).await;
        let (before, notice) = bench.told(&mut client, "notice").await;
        assert_eq!((before, &notice["added"]), (vec![], &json!(["f.1"])));
        let (_, tick) = bench.told(&mut client, "q").await;
        assert_eq!(tick["topic"], "f.1");
        assert!(client.read().is_empty(), "nothing of the others");
    });
}

#[test]
fn a_renewed_token_with_fewer_rights_loses_subscriptions_and_is_told() {
    run(async {
        let (mut bench, _) = bench(3, &[]);
        bench.push(1).await;
        let mut client = bench.client(&[]).await;
        client.say(1, &[&auth("ann f.** 9999999"), &subscribe(&["f.*", "f.2"])]);
        bench.told(&mut client, "subscribed").await;
        client.say(1, &[&auth("ann f.0 9999999")]);
        let (before, notice) = bench.told(&mut client, "notice").await;
        assert!(before.iter().any(|said| said["event"] == "authenticated"));
        assert_eq!(notice, json!({ "type": "revoked", "topics": ["f.1", "f.2"] }));
        client.say(1, &[r#"{"event":"subscriptions","data":{"id":3}}"#]);
        let (_, left) = bench.told(&mut client, "subscriptions").await;
        assert_eq!((&left["topics"], &left["patterns"][0]["count"]), (&json!([]), &json!(1)));
        bench.push(1).await;
        assert_eq!(seqs(&client.read()), [("f.0".to_owned(), 2)]);
        // The pattern is found again by its name, however little of it is granted.
        client.say(1, &[r#"{"event":"unsubscribe","data":{"id":4,"topics":["f.*"]}}"#]);
        let (_, ended) = bench.told(&mut client, "unsubscribed").await;
        assert_eq!(ended["patterns"], json!(["f.*"]));
        client.say(1, &[&auth("bob f.** 9999999")]);
        let (_, error) = bench.told(&mut client, "error").await;
        assert_eq!(error["code"], 409, "identity is for life");
    });
}

/// What everyone may do is taken away: also from those who are there, and from what they ask for next.
#[test]
fn who_has_not_said_who_it_is_has_what_such_clients_have_now() {
    run(async {
        let (mut bench, words) = bench(3, &["f.0", "f.1"]);
        bench.push(1).await;
        let mut client = bench.client(&[]).await;
        client.say(1, &[&subscribe(&["f.*"])]);
        bench.told(&mut client, "subscribed").await;
        *words.anonymous.lock().unwrap() = vec!["f.1", "f.2"];
        bench.pass(0);
        client.say(1, &[&subscribe(&["f.0"])]);
        let (_, told) = bench.told(&mut client, "subscribed").await;
        assert_eq!(told["failed"], json!([]), "it was not told yet");
        words.revocations.fetch_add(1, Ordering::Relaxed);
        bench.pass(0);
        let (_, notice) = bench.told(&mut client, "notice").await;
        assert_eq!(notice, json!({ "type": "revoked", "topics": ["f.0"] }));
        client.say(1, &[&subscribe(&["f.0"])]);
        let (_, told) = bench.told(&mut client, "subscribed").await;
        assert_eq!(told["failed"][0]["topic"], "f.0");
        bench.push(1).await;
        let had: Vec<_> = seqs(&client.read()).into_iter().map(|(topic, _)| topic).collect();
        assert_eq!(had.last().map(String::as_str), Some("f.2"));
        assert!(!had.contains(&"f.0".to_owned()), "{had:?}");
    });
}

/// The time or the price of an answer would tell whether there is such a topic.
#[test]
fn what_was_missed_of_a_topic_that_one_may_not_have_is_not_looked_for() {
    run(async {
        let (mut bench, _) = bench(2, &["f.1"]);
        bench.push(1).await;
        let mut client = bench.client(&[]).await;
        let since = json!({ "epoch": "e", "seq": { "f.0": 1, "f.1": 1 } });
        let data = json!({ "id": 2, "topics": ["f.0", "f.1"], "since": since });
        client.say(1, &[&json!({ "event": "subscribe", "data": data }).to_string()]);
        let About::Since { seqs } = bench.questions.recv().await.unwrap().about else { panic!("no since") };
        assert_eq!(seqs, [("f.1".to_owned(), 1)]);
    });
}

/// A stream takes no commands, so it is told of the header.
#[test]
fn an_event_stream_without_a_token_is_told_how_one_is_sent() {
    run(async {
        let (bench, _) = bench(2, &["f.1"]);
        let told = async |encoding| {
            let (mut client, mut bytes) = (bench.client_in(encoding, &["f.0", "f.1"]).await, Vec::new());
            client.read_all(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let stream = told(Encoding::Sse).await;
        assert!(stream.contains("who you are: send Authorization: Bearer TOKEN"), "{stream}");
        let socket = told(Encoding::Json).await;
        assert!(socket.contains("who you are: send auth with a token"), "{socket}");
    });
}

#[test]
fn who_does_not_say_who_it_is_is_closed_and_a_bad_token_at_once() {
    run(async {
        let (bench, words) = bench(1, &[]);
        let mut silent = bench.client(&[]).await;
        // The clock may have come to the next second just after it connected.
        bench.pass(10);
        assert!(silent.read().iter().all(|said| said.starts_with('{')));
        bench.pass(1);
        assert!(bench.closed(&mut silent).await.contains("auth_timeout"));
        let mut wrong = bench.client(&[]).await;
        wrong.say(1, &[&auth("s3cret")]);
        let (_, error) = bench.told(&mut wrong, "error").await;
        assert_eq!((&error["code"], &error["id"]), (&json!(401), &json!(1)));
        assert!(error["message"].as_str().unwrap().starts_with("token_unknown"), "{error}");
        let reason = bench.closed(&mut wrong).await;
        assert!(reason.contains("token_unknown") && !reason.contains("s3cret"), "{reason}");
        // Where anyone may have something, nobody has to say who it is.
        *words.anonymous.lock().unwrap() = vec!["f.*"];
        let (bench, _) = self::bench(1, &["f.*"]);
        let mut anyone = bench.client(&["f.0"]).await;
        bench.told(&mut anyone, "subscribed").await;
        bench.pass(100);
        anyone.say(1, &[&auth("s3cret"), r#"{"event":"ping","data":{"id":1}}"#]);
        bench.told(&mut anyone, "error").await;
        bench.told(&mut anyone, "pong").await;
    });
}

#[test]
fn a_token_that_ends_is_told_of_and_closed_after_a_grace_unless_renewed() {
    run(async {
        let (bench, words) = bench(1, &[]);
        let mut client = bench.client(&[]).await;
        client.say(1, &[&auth("ann f.0 20000")]);
        bench.told(&mut client, "authenticated").await;
        bench.pass(0);
        let (_, notice) = bench.told(&mut client, "notice").await;
        assert_eq!(notice["type"], "auth_expiring");
        assert!((1..=20_000).contains(&notice["in_ms"].as_u64().unwrap()));
        bench.pass(0);
        assert!(client.read().is_empty(), "told once");
        client.say(1, &[&auth("ann f.0 90000")]);
        bench.told(&mut client, "authenticated").await;
        bench.pass(0);
        assert!(client.read().is_empty(), "it is long until then");
        let who =
            Identity { ends_ms: Some(now_unix_ms() - GRACE_MS), ..(*bench.shard.borrow().who(0)).clone() };
        bench.shard.borrow_mut().connection(0).unwrap().who = Arc::new(who);
        bench.pass(0);
        assert!(bench.closed(&mut client).await.contains("token_expired"));

        let (mut ann, mut bob) = (bench.client(&[]).await, bench.client(&[]).await);
        ann.say(1, &[&auth("ann f.0 900000")]);
        bob.say(1, &[&auth("bob f.0 900000")]);
        bench.told(&mut ann, "authenticated").await;
        bench.told(&mut bob, "authenticated").await;
        *words.revoked.lock().unwrap() = Some("ann".into());
        bench.pass(0);
        assert!(ann.read().is_empty(), "nobody said that there is something to look at");
        words.revocations.fetch_add(1, Ordering::Relaxed);
        bench.pass(0);
        assert!(bench.closed(&mut ann).await.contains("token_revoked"));
        assert!(bob.read().is_empty());
        // Who was judged before that and comes after the look at everyone is seen off too.
        let mut late = bench.client(&[]).await;
        late.say(1, &[&auth("ann f.0 900000")]);
        let (_, error) = bench.told(&mut late, "error").await;
        assert!(error["message"].as_str().unwrap().starts_with("token_revoked"), "{error}");
        assert!(bench.closed(&mut late).await.contains("token_revoked"));
        let ann = Identity { user: Some("ann".into()), ..Identity::anonymous(rights(["f.0"])) };
        let mut late = bench.client_of(Arc::new(ann), Encoding::Json, &["f.0"]).await;
        assert!(bench.closed(&mut late).await.contains("token_revoked"));
    });
}

#[test]
fn who_has_too_many_connections_is_told_and_closed_unless_it_may_stay_as_nobody() {
    run(async {
        let (bench, words) = bench(1, &[]);
        let mut client = bench.client(&[]).await;
        client.say(1, &[&auth("full f.0 900000")]);
        let (_, error) = bench.told(&mut client, "error").await;
        assert_eq!((&error["code"], &error["temporary"]), (&json!(429), &json!(true)), "{error}");
        assert!(error["message"].as_str().unwrap().contains("connections_per_user"), "{error}");
        assert!(bench.closed(&mut client).await.contains("connection_limit"));
        *words.anonymous.lock().unwrap() = vec!["f.*"];
        let (bench, _) = self::bench(1, &["f.*"]);
        let mut anyone = bench.client(&["f.0"]).await;
        bench.told(&mut anyone, "subscribed").await;
        anyone.say(1, &[&auth("full f.0 900000"), r#"{"event":"ping","data":{"id":1}}"#]);
        bench.told(&mut anyone, "error").await;
        bench.told(&mut anyone, "pong").await;
        assert!(bench.shard.borrow().who(0).is_anonymous());
    });
}
