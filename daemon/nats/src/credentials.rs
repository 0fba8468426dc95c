//! `.creds` files: a token that names the user, and the seed of the key that signs what the server asks.

use nkeys::KeyPair;

pub(crate) struct Credentials<'a> {
    pub(crate) jwt: &'a str,
    pub(crate) pair: KeyPair,
}

/// The two are between lines of dashes, as `nsc` writes them.
pub(crate) fn parse(text: &str) -> Result<Credentials<'_>, String> {
    let missing = |what: &str| {
        format!("no line \"-----BEGIN {what}-----\" with a line after it: write it with `nsc generate creds`")
    };
    let jwt = block(text, "NATS USER JWT").ok_or_else(|| missing("NATS USER JWT"))?;
    let seed = block(text, "USER NKEY SEED").ok_or_else(|| missing("USER NKEY SEED"))?;
    let pair = KeyPair::from_seed(seed)
        .map_err(|error| format!("the line after \"-----BEGIN USER NKEY SEED-----\": {error}"))?;
    Ok(Credentials { jwt, pair })
}

fn block<'a>(text: &'a str, title: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| {
        line.strip_prefix("-----BEGIN ").is_some_and(|rest| rest.strip_suffix("-----") == Some(title))
    })?;
    lines.find(|line| !line.is_empty()).filter(|line| !line.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creds(seed: &str) -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\r\neyJ.e30.x\r\n------END NATS USER JWT------\r\n\n***** IMPORTANT *****\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }

    #[test]
    fn what_nsc_writes_is_read() {
        let text = creds(&nkeys::seed(b'U', &[9; 32]));
        let read = parse(&text).expect("credentials");
        assert_eq!((read.jwt, &read.pair.public_key()[..1]), ("eyJ.e30.x", "U"));
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_repeated() {
        let secret = "SUAMISTYPEDSEED";
        let seed = parse(&creds(secret)).map(|_| ()).expect_err("a bad seed");
        assert!(seed.contains("USER NKEY SEED") && !seed.contains(secret), "{seed}");
        for text in
            ["", "eyJ.e30.x", "-----BEGIN NATS USER JWT-----", "-----BEGIN NATS USER JWT-----\n------END"]
        {
            let error = parse(text).map(|_| ()).expect_err(text);
            assert!(error.contains("NATS USER JWT"), "{error}");
        }
    }
}
