//! Hostile input 90, threat A1: whatever is secret is told once and to whom it is for. One walk by every way on which
//! secrets go, refusals too; then they are looked for in every other answer, in the log and in the database.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use diesel::RunQueryDsl;
use serde_json::{Value, json};
use stagedoor::db::sealing::COLUMNS;

use crate::api::Api;
use crate::client::{Call, Reply};
use crate::oauth::{App, CALLBACK, VERIFIER, parameter};
use crate::saml::peers::Idp as SamlIdp;
use crate::saml::visit;
use crate::server::{Database, TestServer, anonymous, unique};
use crate::sign_on::{ACME, Browser, Idp, connection, verify, with};
use crate::web::Web;

/// Everything that is logged is looked through.
const FLAGS: [&str; 4] = ["--egress-allow", "127.0.0.0/8", "--log", "debug"];

/// What is secret, by its name; and what was said on the way, by who said it.
struct Walk<'s> {
    server: &'s TestServer,
    api: Api,
    secrets: Vec<(String, String)>,
    said: Vec<(String, String)>,
}

impl<'s> Walk<'s> {
    fn new(server: &'s TestServer) -> Self {
        Self { server, api: server.operator(), secrets: Vec::new(), said: Vec::new() }
    }

    /// A new secret that a test makes up.
    fn made_up(&mut self, name: &str) -> String {
        let secret = format!("{}{}", "q7".repeat(10), unique());
        self.keep(name, &secret);
        secret
    }

    /// A secret of ours: the last 40 characters, without its public id.
    fn keep(&mut self, name: &str, secret: &str) {
        let tail = secret.len().saturating_sub(40);
        assert!(secret.len() >= 20, "{name}: {secret}");
        self.secrets.push((name.to_owned(), secret[tail..].to_owned()));
    }

    /// An answer in which no secret may be.
    fn heard(&mut self, by: &str, reply: &Reply) {
        self.said.push((by.to_owned(), reply.to_string()));
    }

    /// Sends a request of nobody, and keeps the answer.
    fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Reply {
        let call = Call {
            method: method.to_owned(),
            url: format!("{}{path}", self.server.address()),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: body.map(|body| body.as_bytes().to_vec()),
        };
        let reply = anonymous().send(&call).unwrap();
        self.heard(&format!("{method} {path}"), &reply);
        reply
    }

    /// Sends a form of nobody, and keeps the answer.
    fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let media = [("Content-Type", "application/x-www-form-urlencoded")];
        self.ask("POST", path, &media, Some(&body))
    }

    /// Fails where a secret is among what was said, what was logged, or what lies in the database.
    fn judge(mut self) {
        self.read_everything();
        self.said.push(("the log".to_owned(), self.server.log()));
        let dump = self.server.directory().join("dump.db");
        let to = format!("sqlite://{}", dump.display());
        self.server.cli_ok(&["database", "copy", "--from", self.server.url(), "--to", &to]);
        for entry in std::fs::read_dir(self.server.directory()).unwrap() {
            let path = entry.unwrap().path();
            // The key of the installation lies beside its database, and nowhere else.
            if path.extension().is_none_or(|end| end != "key") {
                let bytes = std::fs::read(&path).unwrap();
                self.said.push((
                    path.display().to_string(),
                    String::from_utf8_lossy(&bytes).into_owned(),
                ));
            }
        }
        assert!(
            self.secrets.len() >= 25 && self.said.len() >= 90,
            "{} in {}",
            self.secrets.len(),
            self.said.len()
        );
        let mut found = Vec::new();
        for (name, secret) in &self.secrets {
            let forms = forms(secret);
            for (by, text) in &self.said {
                if forms.iter().any(|form| text.contains(form.as_str())) {
                    found.push(format!("{name} in {by}"));
                }
            }
        }
        for (by, text) in &self.said {
            for private in ["PRIVATE KEY", "\"d\":\"", "\"p\":\""] {
                if text.contains(private) {
                    found.push(format!("{private} in {by}"));
                }
            }
        }
        assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
    }

    /// Reads whatever the management API and the other surfaces show.
    fn read_everything(&mut self) {
        let document = self.ask("GET", "/openapi.json", &[], None);
        let document: Value = serde_json::from_slice(&document.body).unwrap();
        let paths: Vec<&String> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, verbs)| verbs.get("get").is_some())
            .map(|(path, _)| path)
            .collect();
        let mut read = 0;
        for path in paths {
            let path = path.strip_prefix("/api/v1").unwrap_or(path);
            let Some(path) = self.filled(path) else { continue };
            let answer = self.api.get(&path);
            read += usize::from(answer.status == 200);
            self.heard(&format!("GET {path}"), &answer.reply);
        }
        assert!(read >= 35, "{read} resources were read");
        for path in [
            "/",
            "/docs",
            "/login",
            "/logout",
            "/readyz",
            "/.well-known/openid-configuration",
            "/.well-known/jwks.json",
            "/sso/saml/globex/metadata",
            "/assets/page.css",
        ] {
            self.ask("GET", path, &[], None);
        }
        for path in ["/Users", "/Groups", "/ServiceProviderConfig", "/Schemas", "/ResourceTypes"] {
            let answer = self.server.acme().get(path).expect(200);
            self.heard(path, &answer.reply);
        }
    }

    /// A path with the first resource of each collection in place of its parameters.
    fn filled(&self, path: &str) -> Option<String> {
        let mut whole = String::new();
        for part in path.split('/').skip(1) {
            if !part.starts_with('{') {
                whole.push_str(&format!("/{part}"));
                continue;
            }
            let list = match whole.as_str() {
                "/companies" => json!([{"id": "acme"}]),
                "/organizations" => {
                    self.api.get("/companies/acme/organizations").json["data"].clone()
                }
                _ => self.api.get(&whole).json["data"].clone(),
            };
            let first = list.as_array()?.first()?;
            let name =
                ["id", "name", "fingerprint"].into_iter().find_map(|name| first[name].as_str())?;
            whole.push_str(&format!("/{name}"));
        }
        Some(whole)
    }
}

/// A secret in the shapes that it may be copied in: as it is, escaped, in hexadecimal, and in base64 wherever it begins
/// in what was encoded.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let escaped: String = form_urlencoded::byte_serialize(bytes).collect();
    let mut forms = vec![secret.to_owned(), escaped, hex.to_uppercase(), hex];
    for begin in 0..3 {
        let shifted = [&b"  "[..begin], bytes].concat();
        for encoded in [BASE64_STANDARD.encode(&shifted), BASE64_URL_SAFE_NO_PAD.encode(&shifted)] {
            // The ends hold bits of what stands beside.
            forms.push(encoded[4..encoded.len() - 4].to_owned());
        }
    }
    forms
}

/// Credentials of machines: made, rotated, sent where they do not belong.
fn keys(walk: &mut Walk<'_>) {
    let (server, api) = (walk.server, walk.api.clone());
    walk.keep("the operator's key", api.key());
    walk.keep("acme's SCIM token", server.acme().token());
    let made = api.post("/companies/acme/scim/tokens", &json!({"name": "okta"})).expect(201);
    let next = api.post(
        &format!("/companies/acme/scim/tokens/{}/rotate", made.id()),
        &json!({"overlap_seconds": 60}),
    );
    let next = next.expect(201);
    let key = api.post("/companies/acme/api-keys", &json!({"name": "ci"})).expect(201);
    for (name, answer, field) in
        [("a SCIM token", &made, "token"), ("its next one", &next, "token"), ("a key", &key, "key")]
    {
        walk.keep(name, answer[field].as_str().unwrap());
    }
    let token = next["token"].as_str().unwrap().to_owned();
    let wrong = format!("stgd_scim_{}_{}", "0".repeat(12), walk.made_up("a wrong token"));
    for secret in [token.as_str(), wrong.as_str()] {
        let bearer = format!("Bearer {secret}");
        walk.ask("GET", "/api/v1/companies", &[("Authorization", bearer.as_str())], None);
        walk.ask("GET", "/scim/v2/Nothing", &[("Authorization", bearer.as_str())], None);
        walk.ask("GET", &format!("/scim/v2/Users?access_token={secret}&token={secret}"), &[], None);
        walk.ask(
            "GET",
            &format!("/scim/v2/Users/{secret}"),
            &[("Cookie", &format!("stgd_session={secret}"))],
            None,
        );
    }
    let password = walk.made_up("a password");
    for body in [
        json!({"userName": "pat@acme.example", "password": password}),
        json!({"userName": 7, "password": password}),
    ] {
        let answer = server.acme().post("/Users", &body);
        walk.heard("POST /Users", &answer.reply);
    }
    let filter =
        format!("/Users?filter=password eq \"{password}\"").replace(' ', "%20").replace('"', "%22");
    let answer = server.acme().get(&filter);
    walk.heard("a filter by password", &answer.reply);
    let fields = format!("email=pat%40acme.example&password={password}");
    walk.ask(
        "POST",
        "/login",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        Some(&fields),
    );
}

/// A sign-in by OIDC.
fn oidc(walk: &mut Walk<'_>) -> Api {
    let (server, api, idp) = (walk.server, walk.api.clone(), Idp::start());
    let secret = walk.made_up("the client secret");
    let mut body = connection(&idp);
    body["oidc"]["client_secret"] = json!(secret);
    let made = api.post(&format!("{ACME}/connection"), &body).expect(201);
    walk.heard("a connection", &made.reply);
    let next = walk.made_up("the next client secret");
    let rotated = api
        .post(&format!("{ACME}/connection/rotate-secret"), &json!({"client_secret": next}))
        .expect(200);
    walk.heard("rotate-secret", &rotated.reply);
    let on =
        api.post(&format!("{ACME}/connection/activate"), &json!({"skip_test": true})).expect(200);
    walk.heard("activate", &on.reply);
    verify(&api, "acme", "acme.example");
    server.acme().user("ada@acme.example");
    api.organization("acme", "dev", &json!({"automatic_user_access": true}));
    let access = walk.made_up("the provider's access token");
    let told = access.clone();
    idp.says(move |word| {
        word.answer["access_token"] = json!(told);
        word.claims.as_object_mut().unwrap().remove("groups");
    });
    let mut browser = Browser::new(server);
    let begun = browser.get("/sso/start/acme");
    let back = idp.authorize(begun.header("location").unwrap());
    for name in ["state", "nonce"] {
        walk.keep(name, &parameter(begun.header("location").unwrap(), name));
    }
    walk.secrets.push(("the provider's code".to_owned(), parameter(&back, "code")));
    walk.keep("the browser's secret", browser.cookie("stgd_login").unwrap());
    let path = back.strip_prefix(server.address()).unwrap();
    walk.ask("GET", path, &[], None);
    let done = browser.get(path);
    assert_eq!(done.status, 303, "{done}");
    assert!(idp.was_told(&access), "userinfo was asked");
    walk.keep("the verifier", &idp.verifier());
    walk.keep("the ID token", &idp.id_token());
    let again = browser.get(path);
    walk.heard("a callback that was used", &again);
    let session = browser.session(server).unwrap();
    walk.keep("a session", session.key());
    failures(walk, &idp);
    session
}

/// Sign-ins that fail at the provider: what it says then may repeat what it was sent.
fn failures(walk: &mut Walk<'_>, idp: &Idp) {
    let server = walk.server;
    let echo = walk.made_up("what a provider answers");
    let failures = [
        (
            "/token",
            format!(
                "HTTP/1.1 400 X\r\nConnection: close\r\n\r\n{{\"error\": \"{echo} x\", \"error_description\": \"{echo}\"}}"
            ),
        ),
        ("/token", format!("HTTP/1.1 500 {echo}\r\nConnection: close\r\n\r\n{echo}")),
        ("/token", format!("HTTP/1.1 200 X\r\nConnection: close\r\n\r\n<html>{echo}")),
        (
            "/token",
            format!("HTTP/1.1 200 X\r\nConnection: close\r\n\r\n{{\"id_token\": \"{echo}\"}}"),
        ),
        (
            "/token",
            format!(
                "HTTP/1.1 302 X\r\nLocation: http://h.example/{echo}\r\nConnection: close\r\n\r\n"
            ),
        ),
        (
            "/me",
            format!(
                "HTTP/1.1 401 X\r\nWWW-Authenticate: Bearer {echo}\r\nConnection: close\r\n\r\n{echo}"
            ),
        ),
        ("/me", format!("HTTP/1.1 200 X\r\nConnection: close\r\n\r\n[\"{echo}\"]")),
    ];
    for (path, answer) in failures {
        idp.put_raw(path, answer.as_bytes());
        let page = Browser::new(server).sign_in("/sso/start/acme", idp);
        assert!(page.status >= 400, "{page}");
        walk.heard("a failed sign-in", &page);
        idp.take_raw(path);
    }
    let page =
        Browser::new(server).get(&with("/sso/callback/acme", &[("code", &echo), ("state", &echo)]));
    walk.heard("a callback of nobody", &page);
}

/// What an application is given, and what it sends wrongly.
fn application(walk: &mut Walk<'_>, session: &Api) {
    let (server, api) = (walk.server, walk.api.clone());
    let app = App::register(server, &json!({}));
    walk.keep("an application's secret", &app.secret);
    let next = api.post(&format!("/applications/{}/rotate-secret", app.id), &json!({})).expect(200);
    walk.keep("its next one", next["client_secret"].as_str().unwrap());
    let app = app.with_secret(next["client_secret"].as_str().unwrap());
    let code = app.code(session, &[]);
    walk.keep("a code", &code);
    walk.keep("an application's verifier", VERIFIER);
    let tokens = app.exchange(&code).expect(200);
    let refreshed = app.refresh(tokens["refresh_token"].as_str().unwrap()).expect(200);
    for name in ["access_token", "refresh_token", "id_token"] {
        walk.keep(name, tokens[name].as_str().unwrap());
        walk.keep(&format!("the next {name}"), refreshed[name].as_str().unwrap());
    }
    let (access, refresh) =
        (refreshed["access_token"].as_str().unwrap(), refreshed["refresh_token"].as_str().unwrap());
    for token in [access, refresh] {
        let known = app.call("/oauth/introspect", &[("token", token)]).expect(200);
        walk.heard("introspection", &known.reply);
        walk.form(
            "/oauth/introspect",
            &[("token", token), ("client_id", &app.id), ("client_secret", "wrong")],
        );
    }
    let told = app.userinfo(access).expect(200);
    walk.heard("userinfo", &told.reply);
    walk.ask("GET", &format!("/oauth/userinfo?access_token={access}"), &[], None);
    let used = app.exchange(&code);
    walk.heard("a used code", &used.reply);
    let wrong = walk.made_up("a wrong client secret");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("client_id", &app.id),
        ("client_secret", &wrong),
        ("code_verifier", VERIFIER),
    ];
    walk.form("/oauth/token", &fields);
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{wrong}", app.id)));
    walk.ask("POST", "/oauth/token", &[("Authorization", basic.as_str())], Some(""));
    let page = app.authorize(
        None,
        &[("prompt", "none"), ("id_token_hint", tokens["id_token"].as_str().unwrap())],
    );
    walk.heard("an id_token_hint", &page);
    let revoked = app.call("/oauth/revoke", &[("token", refresh)]);
    walk.heard("a revocation", &revoked.reply);
    let closed = app.refresh(refresh);
    walk.heard("a revoked token", &closed.reply);
}

/// A sign-in by SAML at another company, whose ticket and whose key are ours.
fn saml(walk: &mut Walk<'_>) {
    let (server, api, idp) = (walk.server, walk.api.clone(), SamlIdp::pysaml2());
    server.company("globex");
    let body = json!({"provider": "custom_saml", "protocol": "saml", "saml": {"idp_metadata_xml": idp.metadata(),
        "sign_requests": true}});
    let path = "/companies/globex/sso/connection";
    let made = api.post(path, &body).expect(201);
    walk.heard("a connection by SAML", &made.reply);
    api.post(&format!("{path}/activate"), &json!({"skip_test": true})).expect(200);
    verify(&api, "globex", "globex.example");
    api.patch(path, &json!({"jit_provisioning": true})).expect(200);
    idp.tell(&json!({
        "metadata": server.get_plain("/sso/saml/globex/metadata").text(), "name": "eve@globex.example",
        "format": visit::EMAIL, "sign_response": false, "sign_assertion": true, "attributes": {},
    }));
    let visit = visit::Visit::begin_at(server, "globex");
    let message = idp.form(&visit.address);
    let acs = "/sso/saml/globex/acs";
    let taken = visit::post(&format!("{}{acs}", server.address()), &[("SAMLResponse", &message)]);
    let ticket = visit::ticket(&taken);
    walk.keep("a ticket", &ticket);
    walk.ask("GET", &format!("/sso/continue/{ticket}"), &[], None);
    walk.keep("a session by SAML", visit.finish(&ticket).unwrap().key());
    walk.ask("GET", &format!("/sso/continue/{ticket}"), &[], None);
    walk.keep("a message", &message);
    walk.form(acs, &[("SAMLResponse", &message)]);
    walk.form(acs, &[("SAMLResponse", &message[1..])]);
}

/// What an admin types where it does not belong, and what is fetched for them.
fn forms_of_admins(walk: &mut Walk<'_>) {
    let (api, web) = (walk.api.clone(), Web::start());
    let social = walk.made_up("a social client secret");
    let google = Idp::start();
    let body = json!({"name": "google", "kind": "oidc", "issuer": google.issuer(), "client_id": "g", "client_secret": social});
    let made = api.post("/social-connections", &body).expect(201);
    walk.heard("a social connection", &made.reply);
    let echo = walk.made_up("what a page holds");
    let secret = walk.made_up("a secret in a wrong form");
    let candidate = |more: Value| {
        let mut oidc = json!({"client_id": "x", "client_secret": secret});
        for (name, value) in more.as_object().unwrap() {
            oidc[name.as_str()] = value.clone();
        }
        json!({"provider": "custom_oidc", "protocol": "oidc", "oidc": oidc})
    };
    for page in [format!("<html>{echo}"), json!({"issuer": web.url(""), "x": echo}).to_string()] {
        web.put("/.well-known/openid-configuration", &page);
        let refused = api.put(
            &format!("{ACME}/connection/candidate"),
            &candidate(json!({"issuer": web.url("")})),
        );
        assert_eq!(refused.status, 422, "{}", refused.reply);
        walk.heard("a discovery document", &refused.reply);
    }
    for issuer in
        [format!("https://user:{secret}@h.example"), "https://10.0.0.1".to_owned(), String::new()]
    {
        let refused =
            api.put(&format!("{ACME}/connection/candidate"), &candidate(json!({"issuer": issuer})));
        assert_eq!(refused.status, 422, "{}", refused.reply);
        walk.heard("an issuer", &refused.reply);
    }
    web.put("/metadata", &format!("<x>{echo}</x>"));
    for body in [
        json!({"provider": "adfs", "protocol": "saml", "saml": {"idp_metadata_url": web.url("/metadata")}}),
        json!({"provider": "adfs", "protocol": "saml", "client_secret": secret}),
        json!({"provider": "okta", "protocol": "oidc", "oidc": {"client_secret": [secret]}}),
        json!({"provider": "okta", "protocol": "oidc", "oidc": {"client_secret": secret, "token_endpoint_auth_method": secret}}),
    ] {
        let refused = api.put(&format!("{ACME}/connection/candidate"), &body);
        assert!(refused.status >= 400, "{}", refused.reply);
        walk.heard("a wrong connection", &refused.reply);
    }
    let key = walk.made_up("an Idempotency-Key's body");
    for _ in 0..2 {
        let headers = [("Idempotency-Key", "one")];
        let body = json!({"client_secret": key});
        let path = format!("{ACME}/connection/rotate-secret");
        let answer = api.send("POST", &path, &headers, Some(&body));
        walk.heard("a repeated request", &answer.reply);
    }
}

/// The number that a query gives.
fn count(server: &TestServer, query: &str) -> i64 {
    let value = diesel::dsl::sql::<diesel::sql_types::BigInt>(&format!("({query})"));
    let read = server.service().read_now(|conn| Ok(diesel::select(value).get_result::<i64>(conn)?));
    read.unwrap()
}

/// The whole walk.
fn nothing_secret_is_told(database: Database) {
    let server = TestServer::start_with(database, &FLAGS);
    let mut walk = Walk::new(&server);
    keys(&mut walk);
    let session = oidc(&mut walk);
    application(&mut walk, &session);
    saml(&mut walk);
    forms_of_admins(&mut walk);
    let files = std::fs::read_dir(server.directory()).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|file| file.extension().is_some_and(|end| end == "key")) {
        let key = std::fs::read_to_string(file).unwrap();
        walk.keep("the key of the installation", key.trim());
    }
    for column in COLUMNS {
        let sealed =
            format!("SELECT COUNT(*) FROM {} WHERE {} IS NOT NULL", column.table, column.column);
        assert!(count(&server, &sealed) > 0, "there is something to be found: {sealed}");
    }
    assert!(server.log().contains("DEBUG"), "the log is a full one");
    walk.judge();
}

#[test]
fn f90_nothing_secret_is_told_on_sqlite() {
    nothing_secret_is_told(Database::Sqlite);
}

#[test]
fn f90_nothing_secret_is_told_on_postgres() {
    nothing_secret_is_told(Database::Postgres);
}

/// What is looked for is found, wherever it begins in what was encoded.
#[test]
fn f90_a_secret_is_known_again() {
    let secret = "stgd_scim_q7q7q7q7q7q7_a/secret+that is=told";
    let found = |text: &str| forms(secret).iter().any(|form| text.contains(form.as_str()));
    for before in ["", "a", "ab", "abc", "id:"] {
        let all = format!("{before}{secret} and more");
        for text in [all.clone(), BASE64_STANDARD.encode(&all), BASE64_URL_SAFE_NO_PAD.encode(&all)]
        {
            assert!(found(&text), "{text}");
        }
        let hex: String = all.bytes().map(|byte| format!("{byte:02X}")).collect();
        let form: String = form_urlencoded::byte_serialize(all.as_bytes()).collect();
        assert!(found(&hex) && found(&hex.to_lowercase()) && found(&form), "{all}");
    }
    assert!(!found("stgd_scim_q7q7q7q7q7q7_another"));
}
