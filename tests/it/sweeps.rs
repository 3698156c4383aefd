//! What is over goes, in slices that nobody waits behind; and nothing else goes with it.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use stagedoor::db::counts::{self, Place};
use stagedoor::db::{self, SLICE};
use stagedoor::domain::id::CompanySeq;
use stagedoor::domain::session::KEPT;
use stagedoor::scim::ResourceType;
use stagedoor::service::Cx;

use crate::api::wait;
use crate::oauth::App;
use crate::server::{TestServer, on_both_databases};

/// More rows than two slices have.
const MANY: i64 = 1_200;

/// Numbers from 1 to [`MANY`], in front of a SELECT that takes them as `i.n`.
fn numbers() -> String {
    format!(
        "WITH RECURSIVE i (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM i WHERE n < {MANY}) "
    )
}

fn now() -> Timestamp {
    stagedoor::clock::Clock::system().now()
}

/// So many microseconds before now.
fn ago(time: SignedDuration) -> i64 {
    (now() - time).as_microsecond()
}

/// Fails where one unit of work does more than a slice; the server may have begun before.
fn is_bounded(
    server: &TestServer,
    work: impl FnOnce(&mut Cx<'_>) -> stagedoor::service::Result<usize> + Clone + Send + 'static,
) {
    let done = wait(server.service().transact(work)).unwrap();
    assert!(done <= SLICE, "{done}");
}

on_both_databases! {
    /// Sessions that ended long ago, and what was granted in them; those of late stay, and say why they are over.
    fn sessions_that_ended_long_ago_are_forgotten(server: &TestServer) {
        let app = App::register(server, &json!({}));
        let ada = server.acme().user("ada");
        let [live, over] = [(); 2].map(|()| server.sign_in(&ada).unwrap());
        app.tokens(&live);
        server.api_as(over.key()).get("/session").expect(200);
        let id = over.get("/session").expect(200)["id"].as_str().unwrap().to_owned();
        server.operator().delete(&format!("/companies/acme/sessions/{id}")).expect(204);
        let old = ago(KEPT + SignedDuration::from_hours(1));
        let numbers = numbers();
        server.sql(&format!(
            "INSERT INTO sessions (id, company_seq, user_seq, digest, created_at, last_used_at, expires_at, ended_at) \
             {numbers} SELECT 'old' || i.n, s.company_seq, s.user_seq, s.digest, 1, 1, {old}, {old} FROM i, sessions s \
             WHERE s.id = '{id}'"
        ));
        server.sql(&format!(
            "INSERT INTO oauth_grants (id, company_seq, user_seq, session_id, application_id, document, code_digest, \
             code_until, digest, created_at) {numbers} SELECT 'old' || i.n, g.company_seq, g.user_seq, 'old' || i.n, \
             g.application_id, g.document, g.code_digest, 1, g.digest, 1 FROM i, oauth_grants g"
        ));
        let before = now() - KEPT;
        is_bounded(server, move |cx| Ok(db::sessions::sweep(cx.conn, before)?));
        wait(server.service().sweep_provider()).unwrap();
        assert_eq!((server.count("sessions"), server.count("oauth_grants")), (2, 1));
        live.get("/session").expect(200);
        over.get("/session").problem(401, "session_ended");
    }

    /// Sessions end by their time in slices as well.
    fn sessions_end_by_their_time(server: &TestServer) {
        let ada = server.acme().user("ada");
        let live = server.sign_in(&ada).unwrap();
        let (numbers, old) = (numbers(), ago(SignedDuration::from_hours(1)));
        server.sql(&format!(
            "INSERT INTO sessions (id, company_seq, user_seq, digest, created_at, last_used_at, expires_at) \
             {numbers} SELECT 'old' || i.n, s.company_seq, s.user_seq, s.digest, 1, 1, {old} FROM i, sessions s"
        ));
        is_bounded(server, move |cx| Ok(db::sessions::end_expired(cx.conn, now())?));
        wait(server.service().sweep_provider()).unwrap();
        assert_eq!(server.count("sessions WHERE ended_at IS NULL"), 1);
        assert_eq!(server.count("sessions"), MANY + 1, "they are remembered for a while");
        live.get("/session").expect(200);
    }

    /// Requests that wait for a sign-in, attempts that nobody came back from and their tickets, names and assertions
    /// of SAML, answers that were given under a key.
    fn what_nobody_came_back_for_is_forgotten(server: &TestServer) {
        let app = App::register(server, &json!({}));
        app.authorize(None, &[]);
        server.sign_in(&server.acme().user("ada")).unwrap();
        let (numbers, old) = (numbers(), ago(SignedDuration::from_hours(48)));
        let later = ago(SignedDuration::from_hours(-48));
        for at in [old, later] {
            server.sql(&format!(
                "INSERT INTO login_attempts (id, reference, company_seq, document, state_digest, browser_digest, \
                 request_id, held, ticket_digest, expires_at) {numbers} SELECT '{at}-' || i.n, 'R', c.seq, '{{}}', \
                 CAST('{at}-' || i.n AS {blob}), CAST('b' AS {blob}), '{at}-' || i.n, '{{}}', \
                 CAST('{at}-' || i.n AS {blob}), {at} FROM i, companies c",
                blob = blob(server)
            ));
            server.sql(&format!(
                "INSERT INTO saml_names (connection_seq, session, company_seq, name, name_id, keep_until) {numbers} \
                 SELECT 1, '{at}-' || i.n, c.seq, 'ada', '{{}}', {at} FROM i, companies c"
            ));
            server.sql(&format!(
                "INSERT INTO saml_assertions (connection_seq, id, company_seq, remember_until) {numbers} \
                 SELECT 1, '{at}-' || i.n, c.seq, {at} FROM i, companies c"
            ));
            server.sql(&format!(
                "INSERT INTO idempotency_keys (caller, key, fingerprint, status, headers, body, created_at) {numbers} \
                 SELECT 'c', '{at}-' || i.n, CAST('f' AS {blob}), 200, '', '', {at} FROM i",
                blob = blob(server)
            ));
            server.sql(&format!(
                "INSERT INTO authorization_requests (id, application_id, document, created_at) {numbers} \
                 SELECT '{at}-' || i.n, a.id, '{{}}', {at} FROM i, applications a"
            ));
        }
        is_bounded(server, move |cx| Ok(db::login_attempts::sweep_open(cx.conn, now())?));
        is_bounded(server, move |cx| Ok(db::saml::sweep(cx.conn, now())?));
        is_bounded(server, move |cx| Ok(db::idempotency::sweep(cx.conn, db::micros(now()))?));
        let service = server.service();
        wait(service.sweep()).unwrap();
        wait(service.sweep_provider()).unwrap();
        wait(service.sweep_saml()).unwrap();
        for (table, more) in [("login_attempts", 0), ("saml_names", 0), ("saml_assertions", 0), ("idempotency_keys", 0), ("authorization_requests", 1)] {
            assert_eq!(server.count(table), MANY + more, "{table}");
        }
    }

    /// Resources are counted in and out, in slots near and far; what is counted is brought together in between. The
    /// total and every place are those of the model, and what rests is one row of the total.
    fn counts_are_brought_together_and_stay_the_same(server: &TestServer) {
        // The slots, of 2,048 storage keys, and what is in them. A company that was there from the start.
        let (company, kind) = (CompanySeq(1), ResourceType::Group);
        let mut slots = [0_i64; 5];
        let count = |slot: usize, by: i64| {
            let seq = i64::try_from(slot * 2_048 + 7).unwrap();
            wait(server.service().transact(move |cx| Ok(counts::add(cx.conn, company, (kind, seq), by)?))).unwrap();
        };
        for round in 0..40 {
            let slot = (round * 3) % 5;
            let by = if round % 4 == 3 && slots[slot] > 0 { -1 } else { 1 };
            count(slot, by);
            slots[slot] += by;
            if round % 7 == 6 {
                wait(server.service().sweep()).unwrap();
                let lanes = |lanes: &str| {
                    let rows = format!("company_seq = {} AND resource_type = 1 AND lane {lanes}", company.0);
                    server.count(&format!("resource_counts WHERE {rows}"))
                };
                // The server may be about it at this moment: then a row is its to bring.
                let done = (0..100).any(|_| {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                    lanes("BETWEEN 1 AND 32") == 0
                });
                assert!(done && lanes("< 33") == 1);
            }
            let total: i64 = slots.iter().sum();
            let places = wait(server.service().transact(move |cx| {
                let all = (0..=total).map(|offset| counts::locate(cx.conn, company, kind, offset));
                let all = all.collect::<Result<Vec<_>, _>>()?;
                Ok((counts::total(cx.conn, company, kind)?, all))
            }));
            let mut wanted: Vec<_> = (0_i64..)
                .zip(slots)
                .flat_map(|(slot, there)| (0..there).map(move |skip| Some(Place { from: slot * 2_048, skip })))
                .collect();
            wanted.push(None);
            assert_eq!(places.unwrap(), (total, wanted), "round {round}");
        }
    }
}

/// What the database calls bytes.
fn blob(server: &TestServer) -> &'static str {
    match server.database() {
        crate::server::Database::Sqlite => "BLOB",
        crate::server::Database::Postgres => "BYTEA",
    }
}
