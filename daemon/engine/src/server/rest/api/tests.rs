//! What is asked over HTTP, as it is read; and who waits.

use super::*;

fn read(method: &str, uri: &str) -> Result<Wanted, u16> {
    let request = Request::builder().method(method).uri(uri).header("If-None-Match", "W/\"e-7\", \"x\"");
    Api::read(&request.body(()).unwrap()).map_err(|response| response.status().as_u16())
}

/// Answers that nobody will give, for as long as the test wants.
#[test]
fn who_waits_is_bounded_and_told_when_to_come_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (sender, mut questions) = tokio::sync::mpsc::channel(8);
        let waiting = Arc::new(Semaphore::new(1));
        let api = Api { asker: Asker::new([sender], None), waiting, posted: Arc::default() };
        let (_running, stopped) = tokio::sync::watch::channel(false);
        let poll = || {
            let wanted = Wanted::Value { topic: "f.a".into(), known: vec![], wait: WAIT_MAX };
            let who = Arc::new(Identity::anyone());
            tokio::spawn(api.answer(wanted, who, Stop::new(stopped.clone()), Gone::never()))
        };
        let first = poll();
        let silent = questions.recv().await.unwrap();
        silent.answer.send(Answer::Silent).unwrap();
        let waits = questions.recv().await.unwrap();
        assert!(matches!(waits.what, Ask::Next { seq: 0, .. }));

        let second = poll();
        questions.recv().await.unwrap().answer.send(Answer::Silent).unwrap();
        let busy = second.await.unwrap();
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(busy.headers().contains_key(header::RETRY_AFTER));

        first.abort();
        assert!(first.await.is_err());
        assert!(waits.answer.is_closed(), "who lost patience is known to have");
        assert_eq!(api.waiting.available_permits(), 1);
    });
    let nobody = Api::new(Asker::default());
    let (_running, stopped) = tokio::sync::watch::channel(false);
    let wanted = Wanted::Topics { pattern: "**".into() };
    let who = Arc::new(Identity::anyone());
    let busy = runtime.block_on(nobody.answer(wanted, who, Stop::new(stopped), Gone::never()));
    assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn requests_are_read() {
    let value = |topic: &str, wait| {
        let known = vec!["e-7".to_owned(), "x".to_owned()];
        Ok(Wanted::Value { topic: topic.into(), known, wait: Duration::from_secs(wait) })
    };
    let history = |limit| Ok(Wanted::History { topic: "sim.AAPL".into(), limit });
    let values = |names: &[&str], patterns: &[&str]| {
        let known = vec!["e-7".to_owned(), "x".to_owned()];
        let all = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Ok(Wanted::Values { asked: values::Asked { names: all(names), patterns: all(patterns) }, known })
    };
    let topics = |pattern: &str| Ok(Wanted::Topics { pattern: pattern.into() });
    for (method, uri, expected) in [
        ("GET", "/v1/topics", topics("**")),
        ("HEAD", "/v1/topics?match=sim.%2A", topics("sim.*")),
        ("GET", "/v1/values?topics=a.b,a.*,,a.b,%2A%2A", values(&["a.b"], &["a.*", "**"])),
        ("GET", "/v1/values?topics=", Err(400)),
        ("GET", "/v1/values?topics=a&topics=b", Err(400)),
        ("GET", "/v1/values", Err(400)),
        ("GET", "/v1/values/", Err(404)),
        ("GET", "/v1/topics?match=a&match=a", Err(400)),
        ("GET", "/v1/topics?match=a&match=b", Err(400)),
        ("GET", "/v1/topics?mach=a", Err(400)),
        ("GET", "/v1/topics?values=1", Err(400)),
        ("GET", "/v1/topics/sim.AAPL?mode=all", Err(400)),
        ("GET", "/v1/topics/sim.AAPL/history?since=1", Err(400)),
        ("GET", "/v1/topics/sim.AAPL/history?limit=+1", Err(400)),
        ("GET", "/v1/topics/sim.AAPL", value("sim.AAPL", 0)),
        ("GET", "/v1/topics/sim.AAPL?wait=25", value("sim.AAPL", 25)),
        ("GET", "/v1/topics/sim.AAPL?wait=30", value("sim.AAPL", 30)),
        ("GET", "/v1/topics/sim.AAPL?wait=31", Err(400)),
        ("GET", "/v1/topics/sim.AAPL?wait=-1", Err(400)),
        ("GET", "/v1/topics/sim.AAPL?wait=+1", Err(400)),
        ("GET", "/v1/topics/sim.AAPL?wait=", Err(400)),
        ("GET", "/v1/topics/sim.AAPL?wait=1&wait=2", Err(400)),
        ("GET", "/v1/topics?match=%", Err(400)),
        ("GET", "/v1/topics/", Err(404)),
        ("GET", "/v1/topics/a/b", Err(404)),
        ("GET", "/v1/topics/a/history/", Err(404)),
        ("GET", "/v1/topicsx", Err(404)),
        ("GET", "/v1/topics/sim.AAPL/history", history(100)),
        ("GET", "/v1/topics/sim.AAPL/history?limit=7", history(7)),
        ("GET", "/v1/topics/sim.AAPL/history?limit=0", Err(400)),
        ("GET", "/v1/topics/sim.AAPL/history?limit=x", Err(400)),
        ("GET", "/v1/topics/sim.AAPL/past", Err(404)),
        ("GET", "/v1/", Err(404)),
    ] {
        assert_eq!(read(method, uri), expected, "{method} {uri}");
    }
}
