//! What rustls does not show of a certificate: the names of its owner, and when it expires. A reader of the few parts of
//! X.509 (RFC 5280, in DER) that lead there. It reads certificates that rustls has verified, or the server's own, and takes
//! anything else for one without names.

/// The most names that are read of one certificate.
const NAMES_MAX: usize = 64;
/// 2.5.29.17, `subjectAltName`.
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

const SEQUENCE: u8 = 0x30;
const OBJECT: u8 = 0x06;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERAL_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// The names in `subjectAltName` as `[[auth.certificate]] san` writes them: `URI:…`, `DNS:…` and `email:…`.
pub fn alternative_names(certificate: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let Some(list) = alternatives(certificate) else { return names };
    let mut list = Reader(list);
    while let Some((tag, value)) = list.next() {
        let kind = match tag {
            0x81 => "email",
            0x82 => "DNS",
            0x86 => "URI",
            _ => continue,
        };
        // They are ASCII, and a name that is not cannot be meant.
        if names.len() < NAMES_MAX
            && value.iter().all(u8::is_ascii_graphic)
            && let Ok(text) = std::str::from_utf8(value)
        {
            names.push(format!("{kind}:{text}"));
        }
    }
    names
}

fn alternatives(certificate: &[u8]) -> Option<&[u8]> {
    let mut fields = fields(certificate)?;
    let (_, extensions) = std::iter::from_fn(|| fields.next()).find(|(tag, _)| *tag == EXTENSIONS)?;
    let mut list = Reader(Reader(extensions).of(SEQUENCE)?);
    loop {
        let mut extension = Reader(list.of(SEQUENCE)?);
        if extension.of(OBJECT)? != SUBJECT_ALT_NAME {
            continue;
        }
        // Whether it is critical may stand between.
        let (_, value) = std::iter::from_fn(|| extension.next()).find(|(tag, _)| *tag == OCTETS)?;
        return Reader(value).of(SEQUENCE);
    }
}

/// From when to when a certificate is valid, in Unix seconds.
pub fn validity(certificate: &[u8]) -> Option<(u64, u64)> {
    let mut fields = fields(certificate)?;
    // The serial number, the algorithm and the issuer come before.
    let (_, _, _) = (fields.next()?, fields.next()?, fields.next()?);
    let mut validity = Reader(fields.of(SEQUENCE)?);
    let (from, to) = (validity.next()?, validity.next()?);
    Some((time(from)?, time(to)?))
}

/// What is signed, without the version.
fn fields(certificate: &[u8]) -> Option<Reader<'_>> {
    let mut outer = Reader(Reader(certificate).of(SEQUENCE)?);
    let mut fields = Reader(outer.of(SEQUENCE)?);
    if fields.0.first() == Some(&VERSION) {
        fields.next();
    }
    Some(fields)
}

fn time((tag, text): (u8, &[u8])) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let year: u64 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        GENERAL_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    if rest.len() != 10 || !rest.bytes().all(|b| b.is_ascii_digit()) || !(1970..=9999).contains(&year) {
        return None;
    }
    let two = |at: usize| rest.get(at..at + 2).and_then(|digits| digits.parse::<u64>().ok());
    let (month, day) = (two(0)?, two(2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days of the Gregorian calendar since 1970, with years that begin in March.
    let (y, m) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1;
    let since_1970 = days.checked_sub(719_468)?;
    Some(since_1970 * 86_400 + two(4)? * 3_600 + two(6)? * 60 + two(8)?)
}

/// Reads values one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value and its tag; none at the end, and where the rest is no DER.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, mut rest) = rest.split_first()?;
        let length = match first {
            0..=0x7f => usize::from(*first),
            0x81..=0x83 => {
                let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = after;
                digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit))
            }
            _ => return None,
        };
        let (value, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((*tag, value))
    }

    /// The next value, if it has this tag.
    fn of(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, SanType};

    use super::*;

    #[test]
    fn names_and_times_are_those_that_were_written() {
        let mut params = CertificateParams::new(vec!["ticks.example.org".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI("spiffe://example.org/wall".try_into().unwrap()));
        params.subject_alt_names.push(SanType::Rfc822Name("a@example.org".try_into().unwrap()));
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        params.not_before = rcgen::date_time_ymd(2024, 2, 29);
        params.not_after = rcgen::date_time_ymd(2051, 12, 31);
        let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let found = alternative_names(der.der());
        assert_eq!(found, ["DNS:ticks.example.org", "URI:spiffe://example.org/wall", "email:a@example.org"]);
        assert_eq!(validity(der.der()), Some((1_709_164_800, 2_587_593_600)));
        for cut in 0..der.der().len() {
            // A part is no certificate, and no reason to fail.
            assert_eq!(alternative_names(&der.der()[..cut]), Vec::<String>::new());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (alternative_names(&bytes), validity(&bytes));
        }
    }
}
