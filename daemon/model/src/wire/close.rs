//! The one table of close codes: why a connection is ended, in words, and what the client should do next.

/// What a client should do after a close. The range of the code says the same, so clients need no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Do not reconnect before something was changed (40xx, and the codes that RFC 6455 has for a client's fault).
    Stop,
    /// Reconnect, with exponential back-off and jitter (41xx).
    BackOff,
    /// Reconnect at once, with jitter alone (42xx).
    AtOnce,
}

/// Every reason for which this server closes a connection. The discriminant is the code on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    Normal = 1000,
    GoingAway = 1001,
    ProtocolError = 1002,
    UnsupportedData = 1003,
    InvalidData = 1007,
    MessageTooBig = 1009,
    InternalError = 1011,
    ServiceRestart = 1012,
    BadRequest = 4000,
    Unauthenticated = 4001,
    Forbidden = 4003,
    BadVersion = 4004,
    AuthTimeout = 4008,
    TooManyErrors = 4009,
    OverCapacity = 4100,
    ConnectionLimit = 4101,
    RateLimited = 4102,
    TokenExpired = 4103,
    TooSlow = 4104,
    Reconnect = 4200,
    PongTimeout = 4201,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub code: CloseCode,
    /// Stable, `[a-z_]+`; fit for a metric label.
    pub name: &'static str,
    /// Goes onto the wire after the name: what happened, or what to change.
    pub text: &'static str,
    pub advice: Advice,
}

const fn row(code: CloseCode, name: &'static str, advice: Advice, text: &'static str) -> Row {
    Row { code, name, text, advice }
}

/// The table. Codes below 4000 are RFC 6455 section 7.4.1 and the IANA registry; 1012 is registered there too.
pub const TABLE: [Row; 21] = {
    use Advice::*;
    use CloseCode::*;
    [
        row(Normal, "normal", Stop, "closed as asked"),
        row(GoingAway, "going_away", BackOff, "this server is going away"),
        row(ProtocolError, "protocol_error", Stop, "the frame breaks RFC 6455"),
        row(UnsupportedData, "unsupported_data", Stop, "this subprotocol takes text messages only"),
        row(InvalidData, "invalid_data", Stop, "the text is not valid UTF-8"),
        row(MessageTooBig, "message_too_big", Stop, "the message is over the size or fragment limit"),
        row(InternalError, "internal_error", BackOff, "the server failed; its log says why"),
        row(ServiceRestart, "service_restart", AtOnce, "the server restarts; reconnect with jitter"),
        row(BadRequest, "bad_request", Stop, "the request cannot be served as it is"),
        row(Unauthenticated, "unauthenticated", Stop, "present a valid token"),
        row(Forbidden, "forbidden", Stop, "the token does not grant this"),
        row(BadVersion, "bad_version", Stop, "this protocol version is not served"),
        row(AuthTimeout, "auth_timeout", Stop, "no token arrived in time"),
        row(TooManyErrors, "too_many_errors", Stop, "10 bad messages within 10 s"),
        row(OverCapacity, "over_capacity", BackOff, "the server is full"),
        row(ConnectionLimit, "connection_limit", BackOff, "too many connections from here"),
        row(RateLimited, "rate_limited", BackOff, "too many commands; send fewer per second"),
        row(TokenExpired, "token_expired", BackOff, "the token expired; get a new one"),
        row(TooSlow, "too_slow", BackOff, "took no byte for too long; ask for fewer topics or a slower rate"),
        row(Reconnect, "reconnect", AtOnce, "please reconnect"),
        row(PongTimeout, "pong_timeout", AtOnce, "no answer to pings"),
    ]
};

impl CloseCode {
    /// The number on the wire.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// Stable name, fit for a metric label.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What happened, or what to change.
    pub fn text(self) -> &'static str {
        self.row().text
    }

    /// What the client should do next.
    pub fn advice(self) -> Advice {
        self.row().advice
    }

    /// The whole close frame as a server sends it: unmasked, reason `name: text`.
    pub fn frame(self) -> Vec<u8> {
        self.frame_saying(self.text())
    }

    /// The close frame with another text. A text that does not fit into a close frame is cut.
    pub fn frame_saying(self, text: &str) -> Vec<u8> {
        let mut reason = format!("{}: {text}", self.name());
        if reason.len() > REASON_BYTES_MAX {
            let mut end = REASON_BYTES_MAX - CUT.len();
            while !reason.is_char_boundary(end) {
                end -= 1;
            }
            reason.truncate(end);
            reason.push_str(CUT);
        }
        let mut frame = close_head(2 + reason.len());
        frame.extend_from_slice(&self.code().to_be_bytes());
        frame.extend_from_slice(reason.as_bytes());
        frame
    }

    fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.code == self).expect("every code has a row; see the test below")
    }
}

/// A control frame carries at most 125 bytes (RFC 6455 5.5), of which the code has two.
const REASON_BYTES_MAX: usize = 123;
/// Marks the end of a reason that was cut.
const CUT: &str = "…";

/// The close frame that answers a client's own close: its code again (RFC 6455 5.5.1), or none where it gave none.
pub fn reply(code: Option<u16>) -> Vec<u8> {
    let Some(code) = code else { return close_head(0) };
    let mut frame = close_head(2);
    frame.extend_from_slice(&code.to_be_bytes());
    frame
}

/// FIN and opcode 8, then the length. A control frame carries at most 125 bytes, so the length is always one byte.
fn close_head(payload: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(2 + payload);
    frame.extend_from_slice(&[0x88, payload as u8]);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_one_row_and_its_range_says_the_advice() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(TABLE[at + 1..].iter().all(|later| later.code != row.code && later.name != row.name));
            match row.code.code() {
                4000..=4099 => assert_eq!(row.advice, Advice::Stop),
                4100..=4199 => assert_eq!(row.advice, Advice::BackOff),
                4200..=4299 => assert_eq!(row.advice, Advice::AtOnce),
                code => assert!((1000..1016).contains(&code)),
            }
        }
        // A new variant without a row would make `row()` panic at run time. This match makes it a compile error.
        for code in TABLE.map(|row| row.code) {
            use CloseCode::*;
            match code {
                Normal | GoingAway | ProtocolError | UnsupportedData | InvalidData | MessageTooBig => {}
                InternalError | ServiceRestart | BadRequest | Unauthenticated | Forbidden => {}
                BadVersion | AuthTimeout | TooManyErrors | OverCapacity | ConnectionLimit => {}
                RateLimited | TokenExpired | TooSlow | Reconnect | PongTimeout => {}
            }
            assert_eq!(code.row().code, code);
        }
    }

    #[test]
    fn frames_are_short_unmasked_and_carry_code_and_name() {
        for row in TABLE {
            let frame = row.code.frame();
            assert_eq!(frame[0], 0x88);
            assert_eq!(frame[1] as usize, frame.len() - 2);
            assert!(frame[1] <= 125, "{}", row.name);
            assert_eq!(frame[2..4], row.code.code().to_be_bytes());
            assert!(frame[4..].starts_with(row.name.as_bytes()));
        }
        assert_eq!(reply(None), [0x88, 0]);
        assert_eq!(reply(Some(1000)), [0x88, 2, 0x03, 0xe8]);
    }

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        for text in [
            "short".to_owned(),
            "x".repeat(110),
            "x".repeat(111),
            "ü".repeat(99),
            format!("x{}", "ü".repeat(99)),
        ] {
            let frame = CloseCode::BadRequest.frame_saying(&text);
            assert_eq!(frame[1] as usize, frame.len() - 2);
            assert!(frame[1] <= 125);
            let reason = std::str::from_utf8(&frame[4..]).unwrap();
            let whole = format!("bad_request: {text}");
            assert!(reason == whole || whole.starts_with(reason.strip_suffix('…').unwrap()), "{reason}");
            assert_eq!(reason == whole, whole.len() <= 123);
        }
    }
}
