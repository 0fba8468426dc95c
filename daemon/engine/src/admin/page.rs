//! The status page: plain HTML for whoever looks after the daemon. It changes nothing, and needs no script.

use std::fmt::{self, Write};
use std::net::IpAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};

use super::gate::{Password, Refused};
use super::{Check, Readiness, Sources, api};
use crate::control::{Command, ConnectionRow, FeedRow, Status, TopicRow};
use crate::listen::query::Pairs;
use tickerd_process::clock::{now_unix_ms, utc};

/// Rows of a table. More are had with `tickerd topics`, `tickerd connections` and the administration over HTTP.
const ROWS_MAX: usize = 200;
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = "body{font:15px/1.4 system-ui,sans-serif;margin:1.5rem;color:#1a1a1a;background:#fff}\
    h1{font-size:1.3rem;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}\
    table{border-collapse:collapse;max-width:100%}th,td{text-align:left;vertical-align:top;padding:.2rem .9rem .2rem 0;\
    border-bottom:1px solid #ddd;overflow-wrap:anywhere}th{font-weight:600;white-space:nowrap}\
    td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.bad{color:#a00000;font-weight:600}\
    small,.more{color:#555}code{font-size:.9em}\
    @media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}th,td{border-color:#3a3a3a}\
    .bad{color:#ff8a80}small,.more{color:#aaa}a{color:#8ab4ff}}";

/// The page, as far as who asks may see it: without a configured token no more than `/readyz?verbose` shows.
pub async fn answer(
    sources: &Sources,
    headers: &HeaderMap,
    query: Option<&str>,
    peer: IpAddr,
) -> Response<Full<Bytes>> {
    let every = Pairs::read(query, &["every"]).and_then(|pairs| pairs.only("every").map(seconds));
    let every = match every {
        Ok(every) => every,
        Err(_) if api::has_token(query) => {
            return super::text(
                StatusCode::BAD_REQUEST,
                "a token does not stand in an address, which gets into logs; give it as the password, and make a new one\n",
            );
        }
        Err(why) => return super::text(StatusCode::BAD_REQUEST, format!("{why}\n")),
    };
    let passed = sources.gate.pass(headers, peer, Password::Taken).await;
    let mut page = String::new();
    match passed {
        Ok(()) => {
            let commands = &sources.commands;
            let status = (commands.status)();
            begin(&mut page, every);
            head(&mut page, &status);
            checks(&mut page, status.checks.iter().map(|check| (&*check.name, check.ok, &*check.detail)));
            feeds(&mut page, &(commands.list)());
            let topics = commands.obey(Command::Topics { pattern: None }).await;
            match topics.topics {
                Some(rows) => self::topics(&mut page, rows),
                None => failed(&mut page, "Topics", topics.error),
            }
            let clients = commands.obey(Command::Connections { user: None, topic: None }).await;
            match clients.connections {
                Some(rows) => self::clients(&mut page, rows, clients.cut),
                None => failed(&mut page, "Clients", clients.error),
            }
        }
        Err(Refused::Shut) => {
            let Readiness { ready, checks: all } = (sources.readiness)();
            begin(&mut page, every);
            let word = if ready { "ready" } else { "not ready" };
            put(&mut page, format_args!("<p>This daemon is <b>{word}</b>.</p>"));
            checks(&mut page, all.iter().map(|Check { name, ok, detail }| (&**name, *ok, &**detail)));
            page.push_str(
                "<p class=more>Feeds, topics and clients are shown once <code>admin_token = { file = \"/PATH\" }</code> is \
                 written in <code>[server]</code>; on this machine <code>tickerd status</code> tells them.</p>",
            );
        }
        Err(why) => return api::turned_away(why),
    }
    page.push_str("</body></html>\n");
    let mut response = super::text(StatusCode::OK, page);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// After how many seconds the page is asked for again.
fn seconds(said: Option<&str>) -> Option<u32> {
    said.and_then(|said| said.parse().ok()).filter(|seconds| (1..=3_600).contains(seconds))
}

fn begin(page: &mut String, every: Option<u32>) {
    page.push_str("<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>tickerd</title>");
    if let Some(every) = every {
        put(page, format_args!("<meta http-equiv=refresh content={every}>"));
    }
    page.push_str("<meta name=viewport content=\"width=device-width\"><style>");
    page.push_str(STYLE);
    page.push_str("</style></head><body><h1>tickerd</h1><p><a href=\"/\">Refresh</a> · ");
    page.push_str("<a href=\"/?every=5\">every 5 s</a> · <a href=\"/metrics\">metrics</a> · ");
    page.push_str("<a href=\"/readyz?verbose\">readiness</a></p>");
}

fn head(page: &mut String, status: &Status) {
    let ready = if status.ready { "ready" } else { "<span class=bad>not ready</span>" };
    put(page, format_args!("<p>{ready}, up for {}", span(status.uptime_s * 1_000)));
    put(
        page,
        format_args!(", version {} <small>({})</small>", Plain(&status.version), Plain(&status.commit)),
    );
    put(page, format_args!(", process {}, epoch <code>{}</code><br>", status.pid, Plain(&status.epoch)));
    let config = status.config.as_deref().unwrap_or("none, so the built-in one");
    put(
        page,
        format_args!("configuration: {}<br>listens on {}", Plain(config), Plain(&status.listen.join(", "))),
    );
    put(page, format_args!("<br>{} clients, {} of them lag", status.clients, status.clients_lagging));
    put(page, format_args!("; {} topics, {} ticks a second</p>", status.topics, rate(status.ticks_per_s)));
}

fn checks<'a>(page: &mut String, all: impl Iterator<Item = (&'a str, bool, &'a str)>) {
    page.push_str("<h2>Readiness</h2><table>");
    for (name, ok, detail) in all {
        let word = if ok { "ok" } else { "<span class=bad>failed</span>" };
        put(page, format_args!("<tr><td>{}</td><td>{word}</td><td>{}</td></tr>", Plain(name), Plain(detail)));
    }
    page.push_str("</table>");
}

fn feeds(page: &mut String, rows: &[FeedRow]) {
    page.push_str("<h2>Feeds</h2><table><tr><th>feed<th>state<th>since<th class=n>ticks/s<th class=n>refused<th>why</tr>");
    for row in rows {
        let class = if row.state == "up" { "" } else { " class=bad" };
        put(page, format_args!("<tr><td>{}</td><td{class}>{}</td>", Plain(&row.feed), Plain(&row.state)));
        put(page, format_args!("<td>{}</td><td class=n>{}</td>", utc(row.since), rate(row.rate)));
        put(page, format_args!("<td class=n>{} of {}", row.refused, row.samples + row.refused));
        for (code, count) in &row.refusals {
            put(page, format_args!("<br><small>{} {count}</small>", Plain(code)));
        }
        put(page, format_args!("</td><td>{}", Plain(&row.reason)));
        for line in &row.log {
            put(page, format_args!("<br><small>{} {}</small>", utc(line.ts), Plain(&line.text)));
        }
        page.push_str("</td></tr>");
    }
    page.push_str("</table>");
}

fn topics(page: &mut String, mut rows: Vec<TopicRow>) {
    let (now, all) = (now_unix_ms(), rows.len());
    rows.sort_by(|one, other| other.rate.unwrap_or(0.0).total_cmp(&one.rate.unwrap_or(0.0)));
    page.push_str("<h2>Topics</h2><table><tr><th>topic<th class=n>age<th class=n>ticks/s<th class=n>clients<th>value</tr>");
    for row in rows.iter().take(ROWS_MAX) {
        let class = if row.stale { "n bad" } else { "n" };
        let age = if row.ts == 0 { "-".to_owned() } else { span(now.saturating_sub(row.ts)) };
        put(page, format_args!("<tr><td>{}</td><td class=\"{class}\">{age}</td>", Plain(&row.topic)));
        put(page, format_args!("<td class=n>{}</td><td class=n>{}</td>", rate(row.rate), row.subscribers));
        let more = if row.cut { "…" } else { "" };
        put(page, format_args!("<td><code>{}{more}</code></td></tr>", Plain(&row.value)));
    }
    page.push_str("</table>");
    left_out(page, all, "topics", false);
}

fn clients(page: &mut String, mut rows: Vec<ConnectionRow>, cut: bool) {
    let all = rows.len();
    rows.sort_by_key(|row| std::cmp::Reverse((row.lag_ms, row.waiting_bytes, row.skipped)));
    page.push_str(
        "<h2>Clients, those that lag first</h2><table><tr><th>connection<th>from<th>user<th>by<th class=n>here for<th class=n>lag\
         <th class=n>waits<th class=n>sent<th class=n>skipped<th>subscribed</tr>",
    );
    for row in rows.iter().take(ROWS_MAX) {
        let user = row.user.as_deref().or(row.name.as_deref()).unwrap_or("-");
        put(
            page,
            format_args!(
                "<tr><td>{}</td><td>{}",
                Plain(&row.conn),
                Plain(row.address.as_deref().unwrap_or("unix"))
            ),
        );
        put(
            page,
            format_args!("<br><small>{}</small></td>", Plain(row.agent.as_deref().unwrap_or_default())),
        );
        put(
            page,
            format_args!(
                "<td>{}</td><td>{} {}</td>",
                Plain(user),
                Plain(&row.transport),
                Plain(&row.encoding)
            ),
        );
        let lag = if row.lag_ms == 0 { "-".to_owned() } else { span(row.lag_ms) };
        put(page, format_args!("<td class=n>{}</td><td class=n>{lag}</td>", span(row.age_s * 1_000)));
        put(
            page,
            format_args!(
                "<td class=n>{}</td><td class=n>{}</td>",
                bytes(row.waiting_bytes),
                bytes(row.sent_bytes)
            ),
        );
        put(page, format_args!("<td class=n>{}</td><td>{}", row.skipped, Plain(&row.subscribed.join(" "))));
        if row.subscriptions > row.subscribed.len() as u64 {
            put(
                page,
                format_args!(" <small>and {} more</small>", row.subscriptions - row.subscribed.len() as u64),
            );
        }
        page.push_str("</td></tr>");
    }
    page.push_str("</table>");
    left_out(page, all, "clients", cut);
}

fn left_out(page: &mut String, all: usize, what: &str, cut: bool) {
    if all > ROWS_MAX || cut {
        let least = if cut { "at least " } else { "" };
        put(page, format_args!("<p class=more>{ROWS_MAX} of {least}{all} {what} are shown.</p>"));
    }
}

fn failed(page: &mut String, what: &str, why: Option<String>) {
    put(page, format_args!("<h2>{what}</h2><p class=bad>{}</p>", Plain(&why.unwrap_or_default())));
}

/// Writing to a String cannot fail.
fn put(page: &mut String, what: fmt::Arguments<'_>) {
    let _ = page.write_fmt(what);
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"))
}

fn span(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} days", ms / 86_400_000),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1_000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

/// A text of somebody else's as text of a page: nothing in it is markup, and no control character is left.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() => f.write_char(char::REPLACEMENT_CHARACTER)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_never_markup() {
        let shown = Plain("<b a=\"1\">'&\u{1b}[2J\u{9b}").to_string();
        assert_eq!(shown, "&lt;b a=&quot;1&quot;&gt;&#39;&amp;\u{fffd}[2J\u{fffd}");
    }

    #[test]
    fn spans_and_sizes_are_short() {
        assert_eq!(
            [0, 1_250, 59_999, 180_000, 7_200_000, 400_000_000].map(span),
            ["0.0 s", "1.2 s", "59 s", "3 min", "2 h", "4 days"]
        );
        assert_eq!([999, 65_000, 12_000_000].map(bytes), ["999 B", "65 kB", "12 MB"]);
    }
}
