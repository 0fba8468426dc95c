//! `[auth]`, `[server.signing]` and `sign`: what is read, what is refused, and that no secret is repeated.

use tickerd_model::topic::Pattern;

use super::*;

const ISSUER: &str = "[[auth.issuer]]\nissuer = \"https://login.example.org/\"\naudience = \"tickerd\"\n";

#[test]
fn every_key_of_auth_is_read() {
    let config = load(
        r#"
[server]
listen = [{ address = "127.0.0.1:0", tls = true }]
tls = { certificate = "chain.pem", key = "key.pem", client_ca = "clients.pem" }
[auth]
anonymous = ["sim.**"]
deadline = "5s"
query_token = true
cookie = "tickerd"
[[auth.token]]
name = "wall"
token = { file = "secrets/wall" }
groups = ["desk"]
[[auth.token]]
name = "feed"
token = { sha256 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" }
user = "ann@example.org"
[[auth.token]]
name = "unit"
token = { credential = "unit" }
[[auth.token]]
name = "shell"
token = { env = "WALL_TOKEN" }
[[auth.issuer]]
issuer = "https://login.example.org/"
audience = "tickerd"
algorithms = ["RS256", "PS512"]
keys = "jwks.json"
claims = "https://example.org/tickerd"
user_claim = "email"
auto_subscribe = true
[[auth.issuer]]
issuer = "shop"
audience = "tickerd"
algorithms = ["HS256"]
secret = { env = "SHOP" }
[[auth.issuer]]
issuer = "far"
audience = "tickerd"
algorithms = ["EdDSA"]
keys = "https://far.example.org:8443/keys?x=1"
[[auth.certificate]]
name = "wall"
san = "uri:spiffe://example.org/wall"
groups = ["desk"]
[[auth.group]]
name = "desk"
subscribe = ["stocks.**", "users.{sub}.**"]
publish = ["rooms.desk"]
presence = ["rooms.*"]
history = ["stocks.**"]
admin = true
deny = ["stocks.secret.**"]
"#,
    )
    .unwrap();
    let auth = config.auth.unwrap();
    assert_eq!(auth.anonymous, [Pattern::parse("sim.**").unwrap()]);
    assert_eq!((auth.deadline, auth.query_token), (Duration::from_secs(5), true));
    assert_eq!(auth.cookie.as_deref(), Some("tickerd"));
    let tokens: Vec<_> = auth.tokens.iter().map(|token| (token.name.as_str(), token.user.as_str())).collect();
    assert_eq!(tokens, [("wall", "wall"), ("feed", "ann@example.org"), ("unit", "unit"), ("shell", "shell")]);
    assert_eq!(
        auth.tokens[0].token,
        TokenSource::Secret(SecretSource::File("/etc/tickerd/secrets/wall".into()))
    );
    assert!(matches!(auth.tokens[1].token, TokenSource::Sha256(_)));
    assert_eq!(auth.tokens[2].token, TokenSource::Secret(SecretSource::Credential("unit".into())));
    assert_eq!(auth.tokens[3].token, TokenSource::Secret(SecretSource::Env("WALL_TOKEN".into())));
    assert_eq!(auth.tokens[0].groups, ["desk"]);
    let [login, shop, far] = &auth.issuers[..] else { panic!("{:?}", auth.issuers) };
    assert_eq!(login.algorithms, [Algorithm::Rs256, Algorithm::Ps512]);
    assert_eq!(login.keys, Keys::File("/etc/tickerd/jwks.json".into()));
    assert_eq!((login.claims.as_str(), login.user_claim.as_str()), ("https://example.org/tickerd", "email"));
    assert!(login.auto_subscribe && !shop.auto_subscribe);
    assert_eq!((shop.claims.as_str(), shop.user_claim.as_str()), ("tickerd", "sub"));
    assert_eq!(shop.keys, Keys::Secret(SecretSource::Env("SHOP".into())));
    assert_eq!(far.keys, Keys::Url("https://far.example.org:8443/keys?x=1".into()));
    assert_eq!(auth.certificates[0].san, "URI:spiffe://example.org/wall");
    let desk = &auth.groups[0];
    assert_eq!(desk.subscribe[1].filled("ann"), Pattern::parse("users.ann.**").ok());
    assert_eq!(desk.subscribe[1].filled("auth0%7C5f7"), Pattern::parse("users.auth0%7C5f7.**").ok());
    assert_eq!(desk.subscribe[1].filled(&"x".repeat(65)), None, "no topic can have that segment");
    assert_eq!(desk.deny[0].as_str(), "stocks.secret.**");
    assert!(desk.admin && desk.publish.len() + desk.presence.len() + desk.history.len() == 3);
}

#[test]
fn without_a_table_there_is_no_auth() {
    assert_eq!(load("").unwrap().auth, None);
    assert_eq!(load("[auth]\n").unwrap().auth, Some(Auth::default()));
    assert_eq!(load("[[auth.group]]\nname = \"a\"").unwrap().auth.unwrap().groups.len(), 1);
}

#[test]
fn slips_of_auth_are_told_with_the_remedy() {
    let token = |rest: &str| format!("[[auth.token]]\nname = \"wall\"\n{rest}");
    let issuer = |rest: &str| format!("{ISSUER}{rest}");
    let group = |rest: &str| format!("[[auth.group]]\nname = \"desk\"\n{rest}");
    let file = "token = { file = \"/a\" }\n";
    let cases: Vec<(String, &[&str])> = vec![
        ("[auth]\nanonymus = []".into(), &["t.toml:2:1: auth.anonymus", "did you mean `anonymous`?"]),
        ("[auth]\nanonymous = [\"a..b\"]".into(), &["auth.anonymous[0]", "this is no pattern"]),
        ("[auth]\nanonymous = [\"users.{sub}\"]".into(), &["in a group"]),
        ("[auth]\ndeadline = 10".into(), &["carries its unit", "write \"10s\""]),
        ("[auth]\ncookie = \"a b\"".into(), &["no cookie", "write cookie = \"tickerd\""]),
        (
            "[auth.token]\nname = \"a\"".into(),
            &["token is a list of tables, and this is one", "write [[auth.token]]"],
        ),
        (token(""), &["auth.token[0].token", "t.toml:1:1", "add token = { file = \"/PATH\" }"]),
        (token("token = {}"), &["names no place of a secret"]),
        (token("token = { file = \"/a\", env = \"B\" }"), &["several places of one secret"]),
        (token("token = { flie = \"/a\" }"), &["auth.token[0].token.flie", "did you mean `file`?"]),
        (token("token = { sha256 = \"12\" }"), &["64 hexadecimal digits", "sha256sum"]),
        (token("token = { env = \"$A\" }"), &["no name of an environment variable", "without $"]),
        (token("token = { credential = \"a/b\" }"), &["LoadCredential=NAME:/PATH"]),
        (
            token(&format!("{file}groups = [\"dsk\"]\n{}", group(""))),
            &["no group of this name", "mean \"desk\"?"],
        ),
        (token(&format!("{file}group = [\"desk\"]")), &["did you mean `groups`?"]),
        (token(&format!("{file}user = \"a b\"")), &["no user can be called so"]),
        (
            token(&format!("{file}user = \"Admin\"")),
            &["no user can be called so", "tickerd, server, system, admin"],
        ),
        (
            format!("[[auth.token]]\nname = \"ADMIN\"\n{file}"),
            &["auth.token[0].name", "no user may be called ADMIN", "add user = "],
        ),
        (
            "[[auth.certificate]]\nname = \"system\"\nsan = \"DNS:a.example\"".into(),
            &["auth.certificate[0].name", "no user may be called system", "choose another name"],
        ),
        (token(&format!("{file}{}", token(file))), &["t.toml:5:8", "another token has this name"]),
        ("[[auth.token]]\nname = \"a b\"".into(), &["' ' has no place", "write \"a_b\""]),
        (format!("[[auth.token]]\n{file}"), &["this token has no name"]),
        (issuer("algorithms = [\"RS256\"]"), &["this issuer has no keys", "t.toml:1:1"]),
        (issuer("keys = \"/a\""), &["no algorithms", "add algorithms = [\"RS256\"]"]),
        (issuer("algorithms = []\nkeys = \"/a\""), &["no token is valid"]),
        (issuer("algorithms = [\"none\"]\nkeys = \"/a\""), &["nobody signed", "delete it"]),
        (issuer("algorithms = [\"rs256\"]\nkeys = \"/a\""), &["did you mean \"RS256\"?"]),
        (
            issuer("algorithms = [\"RS256\", \"HS256\"]\nkeys = \"/a\""),
            &["keys of different kinds", "one family"],
        ),
        (issuer("algorithms = [\"RS256\", \"ES256\"]\nkeys = \"/a\""), &["keys of different kinds"]),
        (
            issuer("algorithms = [\"HS256\"]\nkeys = \"https://a.example/\""),
            &["with a secret, not with public keys"],
        ),
        (issuer("algorithms = [\"HS256\"]"), &["need a secret", "add secret = { file"]),
        (issuer("algorithms = [\"RS256\"]\nsecret = { file = \"/a\" }"), &["public keys, not with a secret"]),
        (
            issuer("algorithms = [\"RS256\"]\nkeys = \"/a\"\nsecret = { file = \"/a\" }"),
            &["both keys and secret"],
        ),
        (
            issuer("algorithms = [\"RS256\"]\nkeys = \"http://a.example/\""),
            &["anyone on the way", "https://"],
        ),
        (issuer("algorithms = [\"RS256\"]\nkeys = \"ftp://a.example/\""), &["fetched over https"]),
        (issuer("algorithms = [\"RS256\"]\nkeys = \"https://\""), &["no address of keys"]),
        (issuer("algorithms = [\"RS256\"]\nkeys = { file = \"/a\" }"), &["write keys = \"/PATH\""]),
        (
            issuer(&format!("algorithms = [\"RS256\"]\nkeys = \"/a\"\n{ISSUER}")),
            &["has this issuer", "join the two"],
        ),
        (
            "[[auth.issuer]]\nissuer = \"a\"".into(),
            &["this issuer has no audience", "add audience = \"tickerd\""],
        ),
        (
            "[[auth.certificate]]\nname = \"a\"\nsan = \"DNS:a.example\"".into(),
            &["auth.certificate", "asked for no certificate", "add client_ca = "],
        ),
        ("[[auth.certificate]]\nname = \"a\"".into(), &["names no certificate"]),
        ("[[auth.certificate]]\nname = \"a\"\nsan = \"wall\"".into(), &["write \"DNS:wall\""]),
        ("[[auth.certificate]]\nname = \"a\"\nsan = \"spiffe://x\"".into(), &["write \"URI:spiffe://x\""]),
        (group("subscribe = [\"stocks.#\"]"), &["auth.group[0].subscribe[0]", "this is no pattern"]),
        (group("deny = [\"tickerd.bars.1m.stocks.*\"]"), &["auth.group[0].deny[0]", "write \"stocks.*\""]),
        (group("subscribe = [\"tickerd.bar.**\"]"), &["auth.group[0].subscribe[0]", "write \"**\""]),
        (
            "[auth]\nanonymous = [\"tickerd.bars\"]".into(),
            &["auth.anonymous[0]", "name the topics that the bars are of"],
        ),
        (group("deny = [\"users.{usb}.**\"]"), &["users.{sub}.**"]),
        (group("admin = \"yes\""), &["write true, without quotes"]),
        (group(&group("")), &["another group has this name"]),
        ("[server.signing]\n".into(), &["server.signing.key", "add key = { file"]),
        ("[server.signing]\nkey = \"/a\"".into(), &["key = { file = \"/PATH\" }"]),
        (
            "[[feed]]\nname = \"a\"\nplugin = \"p\"\nsign = true".into(),
            &["feed[0].sign", "add [server.signing]"],
        ),
    ];
    for (text, parts) in cases {
        let message = message(&text);
        for part in parts {
            assert!(message.contains(part), "{text}\nlacks: {part}\n{message}");
        }
        assert!(message.contains('^') && message.contains("change:  "), "{message}");
    }
}

/// Goal: a secret that someone wrote in the wrong place is told by its place alone.
#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    for text in [
        "[[auth.token]]\nname = \"a\"\ntoken = \"CANARY\"\n",
        "[[auth.token]]\nname = \"a\"\ntoken = CANARY\n",
        "[[auth.token]]\nname = \"a\"\ntoken = [\"CANARY\"]\n",
        "[[auth.token]]\nname = \"a\"\ntoken = { file = CANARY }\n",
        "[[auth.token]]\nname = \"a\"\ntoken = { file = \"\", env = \"CANARY\" }\n",
        "[[auth.token]]\nname = \"a\"\ntoken = { env = \"$CANARY\" }\n",
        "[[auth.token]]\nname = \"a\"\ntoken = { sha256 = \"CANARY\" }\n",
        "[[auth.token]]\nname = \"a\"\ntoken = { value = \"CANARY\" }\n",
        "[[auth.token]]\nname = \"a\"\ntoken.credential = \"CANARY/\"\n",
        "[[auth.token]]\nname = \"a\"\n[auth.token.token]\nfile = CANARY\n",
        "[[auth.token]]\nname = \"a b\"\ntokn = \"CANARY\"\n",
        "[auth]\ntoken = \"CANARY\"\n",
        "[auth]\ntoken = [\"CANARY\"]\n",
        "[auth]\ntoken = [{ name = \"a\", token = CANARY }]\n",
        "[auth]\ntoken = { wall = \"CANARY\" }\n",
        "auth = \"CANARY\"\n",
        "auth.token = CANARY\n",
        "auth = { token = [{ token = \"CANARY\" }] }\n",
        "[[auth.issuer]]\nissuer = \"a\"\nsecret = \"CANARY\"\n",
        "[[auth.issuer]]\nissuer = \"a\"\nsecret = CANARY\n",
        "[server]\nadmin_token = \"CANARY\"\n",
        "[server]\nadmin_token = CANARY\n",
        "[server]\nadmin_token = { fiel = \"CANARY\" }\n",
        "[server]\nadmin_token = { sha256 = \"CANARY\" }\n",
        "[server]\nadmin_token = [\"CANARY\"]\n",
        "[server.admin_token]\nfile = \"CANARY/\"\n",
        "[server.signing]\nkey = \"CANARY\"\n",
        "[server.signing]\nkey = CANARY\n",
        "[server]\nsigning = \"CANARY\"\n",
        "[server]\nsigning = { key = CANARY }\n",
        "[server.signing]\nprevious = \"CANARY\"\n",
        "[server.signing]\nprevious = CANARY\n",
    ] {
        let message = message(text);
        assert!(!message.contains("CANARY"), "{text}\nis told as\n{message}");
    }
    for name in [
        "TICKERD_AUTH__TOKEN",
        "TICKERD_AUTH__DEADLINE",
        "TICKERD_SERVER__SIGNING",
        "TICKERD_SERVER__SIGNING__KEY",
        "TICKERD_SERVER__SIGNING__KEY__PEM",
    ] {
        let problems = with_env("", &[(name, "CANARY")], &Overrides::default()).unwrap_err().to_string();
        assert!(problems.contains(name) && !problems.contains("CANARY"), "{problems}");
    }
    // Such a name may be that of the secret itself.
    for name in ["TICKERD_AUTH_TOKEN", "TICKERD_SERVER_SIGNING_KEY"] {
        assert!(with_env("", &[(name, "CANARY")], &Overrides::default()).is_ok());
    }
}
