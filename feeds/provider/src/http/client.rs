//! Asks one provider, politely.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tickerd_sdk::{Error, Host, Interrupter, Level};
use ureq::config::Config;
use ureq::http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION, TRANSFER_ENCODING,
};
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, http};

use super::answer::Failure;
use super::body::{Body, Keeper, Reply, excerpt, line};
use super::freshness::{fresh_for, retry_after};
use super::lookup::Lookup;
use super::request::Request;
use super::settings::{Base, Settings, Share};
use super::trouble::{Stage, fault};
use super::validators::{Validator, Validators};
use crate::limiter::{Limiter, boot_time};
use crate::{Fault, Secret, poll, tls};

/// Most redirections followed, all within the same host.
const REDIRECTS_MAX: usize = 3;
/// Longest time for connecting, TLS included. A lost first packet is sent again after 1 s and after 3 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Longest part of a URL that is shown, in characters. Lists of symbols make long URLs.
const URL_MAX: usize = 120;
/// How much of an error's body is read.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;

/// Asks one provider over HTTP: within its limits, conditionally where possible, and without a key in any text.
///
/// Blocks the calling thread. A request ends after [`Settings::timeout`] in any case. It ends at once when the
/// [`Client::interrupter`] is called, except while the kernel connects: that ends within 4 s.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    base: Base,
    config: Config,
    lookup: Lookup,
    agent: Arc<Mutex<Agent>>,
    limiter: Limiter,
    validators: Arc<Mutex<Validators>>,
    /// What the operator should know; logged with the first request.
    warnings: Mutex<Vec<String>>,
}

impl Client {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Config`] that names the key: `base_url`, `ca_file`, `contact`.
    pub fn new(settings: Settings) -> Result<Client, Error> {
        let base = Base::parse(&settings.base_url, !settings.secrets.is_empty())?;
        let mut config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            // Shorter than the whole request, so that the error can name the lookup. A silent name server is given up
            // after 5 s for the next one.
            .timeout_resolve(Some(settings.timeout * 3 / 4))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .user_agent(settings.user_agent()?)
            .accept("")
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy named in the environment would see requests that are not meant for it. Feeds do not use one.
            .proxy(None);
        if base.tls {
            let roots = tls::roots(settings.ca_file.as_deref())?;
            let roots = RootCerts::from(roots.iter().map(|root| Certificate::from_der(root).to_owned()));
            config = config.tls_config(
                TlsConfig::builder()
                    .unversioned_rustls_crypto_provider(tls::crypto())
                    .root_certs(roots)
                    .build(),
            );
        }
        let config = config.build();
        // A provider on this machine has no quota to share, and another test may use the same port later.
        let share = match &settings.share {
            Share::User if base.loopback => &Share::Alone,
            share => share,
        };
        let limiter = Limiter::open(share, &base.host, &settings.secrets, settings.limits.clone());
        let warnings = settings.secrets.iter().filter_map(Secret::warning).map(str::to_owned).collect();
        let lookup = Lookup::new();
        Ok(Client {
            agent: Arc::new(Mutex::new(agent_of(&config, &lookup))),
            lookup,
            validators: Arc::default(),
            warnings: Mutex::new(warnings),
            settings,
            base,
            config,
            limiter,
        })
    }

    /// Makes the request that is under way fail at once, from any thread. Later requests work as before.
    pub fn interrupter(&self) -> Interrupter {
        let (agent, config, lookup) = (self.agent.clone(), self.config.clone(), self.lookup.clone());
        Box::new(move || {
            let fresh = agent_of(&config, &lookup);
            let old = std::mem::replace(&mut *agent.lock().unwrap_or_else(PoisonError::into_inner), fresh);
            old.shutdown();
            lookup.interrupt();
        })
    }

    /// Stops all feeds with this key from asking for `time`, at most a day. For a provider that asks to wait in words
    /// of its own.
    pub fn hold_back(&self, time: Duration) {
        self.limiter.block(time, boot_time());
    }

    /// Sends the request. Waits for its turn first, up to [`Settings::patience`], asleep on the host. Counts as a
    /// sign of life.
    ///
    /// # Errors
    /// [`Fault`], sorted by what a feed should do next. The limiter keeps the wait that the provider asks for, so all
    /// feeds with this key wait.
    pub fn get(&self, request: &Request, host: &Host) -> Result<Reply, Fault> {
        let turn = self.take_turn(request.units(), host);
        self.tell(host);
        turn?;
        host.heartbeat();
        let keeper = Keeper {
            validators: self.validators.clone(),
            url: request.shown(),
            secrets: self.settings.secrets.iter().chain(request.secrets()).cloned().collect(),
        };
        let result = self.ask(request, &keeper);
        match result {
            // Whatever the error is, the stop caused it.
            Err(_) if host.should_stop() => Err(Fault::Stopping),
            Err(fault) => Err(fault.map_message(|message| keeper.message(message))),
            reply => reply,
        }
    }

    /// Logs what the operator should know, each text once.
    fn tell(&self, host: &Host) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in warnings.drain(..).chain(self.limiter.warning()) {
            host.log(Level::Warn, format_args!("{}: {warning}", self.settings.source));
        }
    }

    fn take_turn(&self, units: u32, host: &Host) -> Result<(), Fault> {
        let mut patience = self.settings.patience;
        loop {
            if host.should_stop() {
                return Err(Fault::Stopping);
            }
            let Err(wait) = self.limiter.try_take(units, boot_time()) else { return Ok(()) };
            // Rounded up, since the host sleeps whole milliseconds.
            let wait = wait + Duration::from_millis(1);
            if wait > patience {
                return Err(Fault::Held { wait });
            }
            patience -= wait;
            poll::sleep(host, wait).map_err(|_| Fault::Stopping)?;
        }
    }

    fn ask(&self, request: &Request, keeper: &Keeper) -> Result<Reply, Fault> {
        let started = Instant::now();
        let mark = self.validators.lock().unwrap_or_else(PoisonError::into_inner).find(&keeper.url);
        let mut target = format!("{}{}{}", self.base.origin, self.base.path, request.sent());
        for _ in 0..=REDIRECTS_MAX {
            let left = self.settings.timeout.saturating_sub(started.elapsed());
            let response = self.send(&target, request, mark.as_ref(), left)?;
            match self.redirected(&response, keeper)? {
                Some(next) => target = next,
                None => return self.judge(response, keeper, mark.is_some()),
            }
        }
        Err(self.nonsense(format!("{} sends from one address to another without end", self.base.host)))
    }

    fn send(
        &self,
        target: &str,
        request: &Request,
        mark: Option<&Validator>,
        timeout: Duration,
    ) -> Result<Response<ureq::Body>, Fault> {
        let agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut head = http::Request::get(target);
        for (name, value, is_secret) in request.all_headers() {
            let mut value = http::HeaderValue::from_str(value).map_err(|_| {
                self.nonsense(format!(
                    "the header {name} cannot be sent with what the configuration gives for it"
                ))
            })?;
            value.set_sensitive(is_secret);
            head = head.header(name, value);
        }
        if let Some(etag) = mark.and_then(|mark| mark.etag.as_deref()) {
            head = head.header(IF_NONE_MATCH, etag);
        }
        if let Some(date) = mark.and_then(|mark| mark.last_modified.as_deref()) {
            head = head.header(IF_MODIFIED_SINCE, date);
        }
        let head = head.body(()).map_err(|e| self.nonsense(format!("the request cannot be sent: {e}")))?;
        let head = agent.configure_request(head).timeout_global(Some(timeout)).build();
        agent.run(head).map_err(|e| self.trouble(&e, Stage::Asking))
    }

    /// The target of a redirection, if it is within the same host.
    fn redirected(&self, response: &Response<ureq::Body>, keeper: &Keeper) -> Result<Option<String>, Fault> {
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("");
        if to.starts_with('/') && !to.starts_with("//") {
            return Ok(Some(format!("{}{to}", self.base.origin)));
        }
        match to.strip_prefix(&self.base.origin) {
            Some(rest) if rest.starts_with('/') => Ok(Some(to.to_owned())),
            _ => {
                let to = excerpt(&keeper.clean(to.split('?').next().unwrap_or("")));
                Err(self.nonsense(format!(
                    "{} sends on to {to}, and a key is not taken to another host; a captive portal, or a wrong base_url?",
                    self.base.host
                )))
            }
        }
    }

    fn judge(
        &self,
        response: Response<ureq::Body>,
        keeper: &Keeper,
        conditional: bool,
    ) -> Result<Reply, Fault> {
        let (head, body) = response.into_parts();
        let now = SystemTime::now();
        let fresh_for = fresh_for(&head.headers, now);
        let subject = format!("{} answered GET {}", self.settings.source, line(&keeper.url, URL_MAX));
        if head.status == StatusCode::NOT_MODIFIED && conditional {
            return Ok(Reply::Unchanged { fresh_for });
        }
        if head.status.is_success() {
            let bytes = self.read(body, self.settings.body_bytes_max)?;
            if bytes.len() > self.settings.body_bytes_max {
                return Err(Fault::Nonsense {
                    message: format!("{subject} with more than {} bytes", self.settings.body_bytes_max),
                });
            }
            self.validators
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .keep(&keeper.url, Validator::of(&head.headers));
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Reply::Empty { fresh_for });
            }
            let content_type = content_type(&head.headers);
            let delimited =
                head.headers.contains_key(CONTENT_LENGTH) || head.headers.contains_key(TRANSFER_ENCODING);
            let keeper = keeper.clone();
            return Ok(Reply::Body(Body { bytes, content_type, delimited, fresh_for, subject, keeper }));
        }
        let wait = retry_after(&head.headers, now);
        if let (Some(wait), 429 | 503) = (wait, head.status.as_u16()) {
            self.limiter.block(wait, boot_time());
        }
        // The text of the error is useful, but failing to read it is no failure of its own.
        let body = self.read(body, ERROR_BODY_BYTES_MAX).unwrap_or_default();
        let content_type = content_type(&head.headers);
        Err(Failure {
            status: head.status,
            wait,
            content_type: &content_type,
            body: &body,
            subject: &subject,
        }
        .fault())
    }

    /// Reads up to one byte more than `max`.
    fn read(&self, body: ureq::Body, max: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        let most = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        match body.into_reader().take(most).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(e) => Err(self.trouble(&ureq::Error::from(e), Stage::Reading)),
        }
    }

    fn trouble(&self, error: &ureq::Error, stage: Stage) -> Fault {
        fault(error, stage, self.settings.source, &self.base.host, self.settings.timeout.as_secs())
    }

    fn nonsense(&self, message: String) -> Fault {
        Fault::Nonsense { message: format!("{}: {message}", self.settings.source) }
    }
}

fn agent_of(config: &Config, lookup: &Lookup) -> Agent {
    Agent::with_parts(config.clone(), DefaultConnector::default(), lookup.clone())
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}
