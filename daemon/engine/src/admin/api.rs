//! The administration over HTTP: the commands of the admin socket below `/admin/v1`, with the same answers.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::Sources;
use super::gate::{Password, Refused};
use crate::control::{Answer, Command};
use crate::listen::query::Pairs;

/// Everything of it is below this path.
pub const PREFIX: &str = "/admin/v1/";
/// Longest body of a command, in bytes.
const BODY_BYTES_MAX: usize = 4096;
/// For a body to arrive.
const BODY_MAX: Duration = Duration::from_secs(10);

/// What a path is for.
enum Route<'a> {
    Read(&'a str),
    /// A feed.
    Reload(&'a str),
    /// The configuration.
    Configure,
    Disconnect,
}

/// Answers a request for a path below [`PREFIX`].
pub async fn answer<B>(sources: &Sources, request: Request<B>, peer: IpAddr) -> Response<Full<Bytes>>
where
    B: Body<Data: Send> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    let password = if is_read { Password::Taken } else { Password::NotTaken };
    if has_token(parts.uri.query()) {
        return refused(
            StatusCode::BAD_REQUEST,
            "a token does not stand in an address, which gets into logs; send Authorization: Bearer TOKEN, and make a new token",
        );
    }
    if let Err(why) = sources.gate.pass(&parts.headers, peer, password).await {
        return turned_away(why);
    }
    let route = match path.split('/').collect::<Vec<_>>()[..] {
        [list @ ("status" | "feeds" | "topics" | "connections")] => Route::Read(list),
        ["feeds", feed, "reload"] if !feed.is_empty() => Route::Reload(feed),
        ["reload"] => Route::Configure,
        ["disconnect"] => Route::Disconnect,
        _ => {
            let there = "there are GET status, feeds, topics and connections, POST disconnect, reload and feeds/NAME/reload";
            return refused(StatusCode::NOT_FOUND, there);
        }
    };
    let allowed = if matches!(route, Route::Read(_)) { "GET, HEAD" } else { "POST" };
    if matches!(route, Route::Read(_)) != is_read || !is_read && parts.method != Method::POST {
        let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, &format!("this path answers {allowed}"));
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        return response;
    }
    let command = match route {
        Route::Read(list) => read(list, parts.uri.query()),
        Route::Reload(feed) => {
            Pairs::read(parts.uri.query(), &[]).map(|_| Command::FeedReload { feed: Some(feed.to_owned()) })
        }
        Route::Configure => Pairs::read(parts.uri.query(), &[]).map(|_| Command::Reload {}),
        Route::Disconnect => {
            match tokio::time::timeout(BODY_MAX, Limited::new(body, BODY_BYTES_MAX).collect()).await {
                Ok(Ok(body)) => disconnect(&body.to_bytes()),
                Ok(Err(_)) => Err(format!("the body cannot be read; it has at most {BODY_BYTES_MAX} bytes")),
                Err(_) => Err(format!("no whole body came within {} s", BODY_MAX.as_secs())),
            }
        }
    };
    match command {
        Ok(command) => told(&sources.commands.obey(command).await),
        Err(why) => refused(StatusCode::BAD_REQUEST, &why),
    }
}

/// Whether a query has a token, under whichever name such things usually go.
pub fn has_token(query: Option<&str>) -> bool {
    let keys = query.unwrap_or_default().split('&').filter_map(|pair| pair.split('=').next());
    keys.into_iter().any(|key| ["token", "access_token", "admin_token", "auth"].contains(&key))
}

fn read(list: &str, query: Option<&str>) -> Result<Command, String> {
    let known: &[&str] = match list {
        "topics" => &["pattern"],
        "connections" => &["user", "topic"],
        _ => &[],
    };
    let pairs = Pairs::read(query, known)?;
    let said = |key| pairs.only(key).map(|value| value.map(str::to_owned));
    Ok(match list {
        "status" => Command::Status {},
        "feeds" => Command::FeedList {},
        "topics" => Command::Topics { pattern: said("pattern")? },
        _ => Command::Connections { user: said("user")?, topic: said("topic")? },
    })
}

/// The body is the command of the admin socket without its name.
fn disconnect(body: &[u8]) -> Result<Command, String> {
    let what = "write one of {\"conn\":\"0-1\"}, {\"user\":\"NAME\"}, {\"token\":\"NAME\"}, {\"jti\":\"ID\"} and \
                {\"issued_before\":SECONDS}";
    // What is wrong in it is not repeated: it may be a token.
    let mut said: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| format!("the body is no JSON object; {what}"))?;
    if said.len() != 1 || said.contains_key("command") {
        return Err(format!("the body says something else than whom to disconnect; {what}"));
    }
    said.insert("command".to_owned(), "disconnect".into());
    serde_json::from_value(said.into()).map_err(|_| format!("the body says it in another way; {what}"))
}

/// Why someone may not, and what to do.
pub fn turned_away(why: Refused) -> Response<Full<Bytes>> {
    let (status, words) = match why {
        Refused::Shut => (
            StatusCode::FORBIDDEN,
            "no token is configured for the administration; write admin_token = { file = \"/PATH\" } in [server], or use the \
             admin socket",
        ),
        Refused::Missing => (StatusCode::UNAUTHORIZED, "send the token: Authorization: Bearer TOKEN"),
        Refused::Wrong => (StatusCode::UNAUTHORIZED, "this is not the token of server.admin_token"),
        Refused::Limited => (
            StatusCode::TOO_MANY_REQUESTS,
            "too many wrong tokens came from this address; wait, then send the right one",
        ),
        Refused::PasswordNotTaken => (
            StatusCode::UNAUTHORIZED,
            "what changes something takes the token as Authorization: Bearer TOKEN alone, since a browser sends a password for \
             any page",
        ),
    };
    let mut response = refused(status, words);
    let headers = response.headers_mut();
    match why {
        Refused::Missing | Refused::Wrong => {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tickerd\""));
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tickerd\""));
        }
        Refused::PasswordNotTaken => {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tickerd\""));
        }
        Refused::Limited => drop(headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"))),
        Refused::Shut => {}
    }
    response
}

/// An answer as on the admin socket.
fn told(answer: &Answer) -> Response<Full<Bytes>> {
    let status = if answer.error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    body(status, crate::control::line(answer))
}

fn refused(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    body(status, format!("{}\n", json!({ "error": why })))
}

fn body(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = super::text(status, text);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
