//! A NUL where a name is expected, outside SCIM: one of the databases takes none.

use serde_json::json;

use crate::client::Call;
use crate::oauth::{send, visit};
use crate::server::{anonymous, on_both_databases};

/// Addresses that look something up by a name out of the path or the query.
const ADDRESSES: [&str; 16] = [
    "/oauth/authorize?client_id=%00",
    "/oauth/continue?request=%00",
    "/oauth/end_session?client_id=%00&post_logout_redirect_uri=a",
    "/logout?iss=a&sid=%00",
    "/sso/start/%00",
    "/sso/start/a%00b",
    "/sso/callback/%00?state=a",
    "/sso/continue/%00",
    "/sso/saml/%00/metadata",
    "/login/%00",
    "/login/social/%00",
    "/api/v1/companies/%00",
    "/api/v1/companies/acme/users/%00",
    "/api/v1/companies/acme/sso/attempts?email=%00",
    "/api/v1/explain/access?company=acme&user=%00&organization=a",
    "/api/v1/applications/%00",
];

/// Refused as what it is, and no fault of the server's.
#[track_caller]
fn refused(reply: &crate::client::Reply, about: &str) {
    assert!((400..500).contains(&reply.status), "{about}: {reply}");
}

on_both_databases! {
    fn a_nul_in_a_name_is_the_callers_fault(server: &TestServer) {
        for path in ADDRESSES {
            refused(&visit(&format!("{}{path}", server.address()), None), path);
            if let Some(path) = path.strip_prefix("/api/v1") {
                refused(&server.operator().get(path).reply, path);
            }
        }
        let url = |path: &str| format!("{}{path}", server.address());
        let form = [("client_id", "\0"), ("grant_type", "refresh_token"), ("refresh_token", "a")];
        refused(&send("POST", &url("/oauth/token"), &[], Some(&form)), "a form");
        let basic = [("Authorization", "Basic JTAwOmE=")];
        refused(&send("POST", &url("/oauth/token"), &basic, Some(&form[1..])), "a header");
        refused(&send("POST", &url("/login"), &[], Some(&[("email", "a@b\0c.example")])), "the page");
        refused(&send("POST", &url("/sso/callback?connection=%00"), &[], Some(&[])), "the other form");
        let body = json!({"email": "a@b\0c.example"}).to_string().into_bytes();
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let call = Call { method: "POST".to_owned(), url: url("/api/v1/login/discover"), headers, body: Some(body) };
        refused(&anonymous().send(&call).unwrap(), "a body");
    }
}
