//! `[[auth.certificate]]`: whom a client certificate speaks for.

use crate::document::Node;
use crate::problem::Code;
use crate::reader::{Read, string};
use crate::section::{Refusal, Section};

use super::group::{Group, groups};
use super::name::{at_most, name, refuse_reserved};

const CERTIFICATES_MAX: usize = 1_024;
const NAME_BYTES_MAX: usize = 1_024;
const ALLOWED: &str = "\"URI:…\", \"DNS:…\" or \"EMAIL:…\"";

/// One `[[auth.certificate]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The user, and the name in the log: 1 to 64 characters of `A–Z a–z 0–9 _ - .`, unique.
    pub name: String,
    /// A subject alternative name that the certificate must have: `URI:spiffe://example.org/wall`, `DNS:…`, `EMAIL:…`.
    /// The kind is in capitals, and names of hosts are in small letters.
    pub san: String,
    /// What it may do; default nothing but what is anonymous.
    pub groups: Vec<String>,
}

impl Certificate {
    /// Reads all; `asks_clients`: clients are asked for certificates.
    pub(super) fn read_all(parent: &mut Section<'_>, known: &[Group], asks_clients: bool) -> Vec<Self> {
        let sections = parent.sections("certificate");
        if let Some((_, header)) = sections.first().filter(|_| !asks_clients) {
            let what = "clients are asked for no certificate, since [server.tls] has no client_ca";
            let change = "add client_ca = \"/etc/tickerd/tls/clients.pem\" to [server.tls], or delete this";
            let refusal = Refusal::placed(header, what)
                .code(Code::Conflict)
                .allowed("[[auth.certificate]] with client_ca")
                .change(change);
            parent.refuse("certificate", refusal);
        }
        let header = sections.get(CERTIFICATES_MAX).map(|(_, header)| header);
        at_most(parent, "certificate", CERTIFICATES_MAX, header);
        let (mut names, mut sans): (_, Vec<String>) = (Vec::new(), Vec::new());
        let mut certificates = Vec::new();
        for (mut section, header) in sections {
            let name = name(&mut section, &header, "certificate", &mut names);
            let user = name.as_deref().unwrap_or_default();
            refuse_reserved(&mut section, &header, user, "choose another name");
            let san = section.take("san", None, |node| san(node, &sans).map(Some));
            if !section.has("san") {
                let refusal = Refusal::placed(&header, "this names no certificate")
                    .code(Code::MissingKey)
                    .allowed(ALLOWED);
                section.refuse("san", refusal.change("add san = \"URI:…\", as it stands in the certificate"));
            }
            let groups = groups(&mut section, known);
            if let Some((name, san)) = name.zip(san) {
                sans.push(san.clone());
                certificates.push(Certificate { name, san, groups });
            }
        }
        certificates
    }
}

fn san(node: &Node, earlier: &[String]) -> Read<String> {
    let text = string(node)?;
    let refuse = |what: &str, change: String| {
        Err(vec![Refusal::new(node, what).code(Code::WrongName).allowed(ALLOWED).change(change)])
    };
    let fits = |name: &str| !name.is_empty() && name.len() <= NAME_BYTES_MAX;
    let offer = |kind: &str| {
        let san = format!("{kind}:{text}");
        match fits(&text) && !text.ends_with(':') && !earlier.contains(&san) {
            true => format!("write \"{san}\" if it is one"),
            false => "write it as it stands in the certificate, such as \"URI:spiffe://example.org/wall\""
                .to_owned(),
        }
    };
    let Some((kind, name)) = text.split_once(':').filter(|(_, name)| fits(name)) else {
        return refuse("this is no subject alternative name", offer("DNS"));
    };
    let san = match kind.to_ascii_uppercase().as_str() {
        "URI" => format!("URI:{name}"),
        "DNS" => format!("DNS:{}", name.to_ascii_lowercase()),
        "EMAIL" => format!("EMAIL:{name}"),
        _ => return refuse("names of this kind are not compared", offer("URI")),
    };
    if earlier.contains(&san) {
        return refuse("another certificate has this name", "delete one of the two".to_owned());
    }
    Ok(san)
}
