//! Short texts of headers, addresses and settings: what is read is written and read as the same, and what is refused is refused
//! briefly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickerd_config::{read_duration, write_duration};
use tickerd_engine::exchange::arrival::TickId;
use tickerd_engine::listen::query::Pairs;
use tickerd_model::access::user;
use tickerd_model::protocol::rate;
use tickerd_model::rooms::To;
use tickerd_model::web::host::Host;
use tickerd_model::web::network::Network;
use tickerd_model::web::origin::{Listed, WebOrigin};
use tickerd_remote::Address;

const KNOWN: [&str; 5] = ["topics", "rate", "mode", "name", "lastEventId"];

fuzz_target!(|text: &str| {
    if let Some((host, _)) = Host::with_port(text) {
        assert_eq!(Host::parse(&host.to_string()), Some(host));
    }
    if let Some(origin) = WebOrigin::parse(text) {
        assert_eq!(WebOrigin::parse(&origin.to_string()).as_ref(), Some(&origin));
        assert!(Listed::parse(text).is_some_and(|listed| listed.admits(&origin)));
    }
    if let Some(listed) = Listed::parse(text) {
        assert_eq!(Listed::parse(&listed.to_string()), Some(listed));
    }
    if let Ok(network) = Network::parse(text) {
        assert_eq!(Network::parse(&network.to_string()).ok(), Some(network));
    }
    if let Some(id) = TickId::parse(text) {
        assert_eq!(TickId::parse(&format!("{}-{}", id.epoch, id.n)), Some(id));
    }
    match To::parse(text) {
        Ok(to) => assert_eq!(To::parse(&to.to_string()).ok(), Some(to)),
        Err(refused) => assert!(refused.message.len() < 1_000, "{}", refused.message),
    }
    if user::is_user(text) {
        assert!(user::is_segment(&user::segment(text)));
    }
    if let Some(read) = rate::parse(text) {
        assert_eq!(rate::parse(&rate::format(read)), Some(read));
    }
    if let Ok(read) = read_duration(text) {
        assert_eq!(read_duration(&write_duration(read)), Ok(read));
    }
    match text.parse::<Address>() {
        Ok(address) => assert_eq!(address.to_string().parse(), Ok(address)),
        Err(why) => assert!(why.len() < 200, "{why}"),
    }
    match Pairs::read(Some(text), &KNOWN) {
        Ok(pairs) => {
            // Encoded again, it says the same.
            let encode = |value: &str| value.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
            let written = KNOWN.iter().flat_map(|key| pairs.all(key).map(move |value| (key, value)));
            let written: Vec<String> =
                written.map(|(key, value)| format!("{key}={}", encode(value))).collect();
            let again = Pairs::read(Some(&written.join("&")), &KNOWN).expect("it was written");
            for key in KNOWN {
                assert!(again.all(key).eq(pairs.all(key)), "{key} in {text:?}");
                assert_eq!(again.one(key), pairs.one(key));
            }
        }
        Err(why) => assert!(why.len() < 300, "{why}"),
    }
    let _ = Pairs::read_known(Some(text), &["token", "ticket"]);
});
