//! Single logout through a server, in both directions.

use serde_json::{Value, json};

use super::peers::{Idp, get, redirect};
use super::visit::{ADA, Visit, bring, connect, refused, ticket};
use crate::api::Api;
use crate::client::{Call, HttpClient, Reply};
use crate::server::{TestServer, on_both_databases};

/// Signs ada in.
fn signed_in(server: &TestServer, idp: &Idp) -> Api {
    let visit = Visit::begin(server);
    let answer = bring(server.address(), &idp.form(&visit.address));
    visit.finish(&ticket(&answer)).unwrap()
}

fn log(idp: &Idp) -> Vec<Value> {
    serde_json::from_str(&get(&format!("{}/log", idp.base)).1).unwrap()
}

/// `/logout` as a browser asks for it that has this cookie.
fn with_cookie(server: &TestServer, method: &str, cookie: &str) -> Reply {
    let call = Call {
        method: method.to_owned(),
        url: format!("{}/logout", server.address()),
        headers: vec![("Cookie".to_owned(), cookie.to_owned())],
        body: None,
    };
    HttpClient::new().send(&call).unwrap()
}

/// What stands behind the server's address.
fn local<'a>(server: &TestServer, address: &'a str) -> &'a str {
    address.strip_prefix(server.address()).expect(address)
}

on_both_databases! {
    with crate::saml::visit::LOOPBACK;

    /// The identity provider's user signs out there: the sessions here end, and it is told so.
    fn the_idp_signs_out(server: &TestServer) {
        let idp = Idp::pysaml2();
        connect(server, &idp, &json!({}));
        server.acme().user(ADA);
        let (one, two) = (signed_in(server, &idp), signed_in(server, &idp));
        let asked = redirect(&format!("{}/logout", idp.base));
        let path = local(server, &asked);
        // A request that was changed on the way is none.
        let changed = path.replace("RelayState=state", "RelayState=other");
        refused(&server.get_plain(&changed), 401, "saml.signature");
        one.get("/me").expect(200);
        let answer = server.get_plain(path);
        assert_eq!(answer.status, 303, "{answer}");
        one.get("/me").problem(401, "session_ended");
        two.get("/me").problem(401, "session_ended");
        let there = answer.header("location").unwrap();
        assert!(there.contains("RelayState=state"), "{there}");
        assert_eq!(get(there).0, 200);
        assert_eq!(log(&idp).last().unwrap()["logged_out"], true);
    }

    /// Of who is deleted, nobody knows any more under which name they signed in.
    fn names_go_with_their_user(server: &TestServer) {
        let idp = Idp::pysaml2();
        connect(server, &idp, &json!({}));
        let ada = server.acme().user(ADA);
        for _ in 0..2 {
            signed_in(server, &idp);
        }
        // One of them came to no session here.
        bring(server.address(), &idp.form(&Visit::begin(server).address));
        assert_eq!(server.count("saml_names"), 3);
        let other = "INSERT INTO saml_names (connection_seq, session, company_seq, name, name_id, keep_until) \
             SELECT connection_seq, 'other', company_seq, 'eve@acme.example', name_id, keep_until FROM saml_names LIMIT 1";
        server.sql(other);
        server.acme().delete(&format!("/Users/{ada}")).expect(204);
        assert_eq!(server.count("saml_names"), 1);
    }

    /// Somebody signs out here: the identity provider is asked to end its own session, under the name and the
    /// index that it gave.
    fn a_person_signs_out_there_too(server: &TestServer) {
        let idp = Idp::pysaml2();
        connect(server, &idp, &json!({}));
        server.acme().user(ADA);
        let session = signed_in(server, &idp);
        let cookie = format!("stgd_session={}", session.key());
        let asked = with_cookie(server, "GET", &cookie);
        let policy = asked.header("content-security-policy").unwrap();
        assert!(policy.contains(&format!("form-action 'self' {}", idp.base)), "{policy}");
        let answer = with_cookie(server, "POST", &cookie);
        assert!((302..=303).contains(&answer.status), "{answer}");
        session.get("/me").problem(401, "session_ended");
        let address = answer.header("location").unwrap().to_owned();
        let answer = redirect(&address);
        let told = log(&idp).pop().unwrap();
        assert_eq!((&told["logout"], &told["signed"]), (&json!(ADA), &json!(true)));
        assert_eq!(told["sessions"].as_array().unwrap().len(), 1);
        let page = server.get_plain(local(server, &answer));
        assert_eq!(page.status, 200, "{page}");
        assert!(page.text().contains("signed out"));
    }
}
