//! `C/sso/attempts`: the log of sign-ins, the latest first.

use std::collections::BTreeMap;

use actix_web::web::get;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::authorization::Act;
use crate::domain::login_attempt::Logged;
use crate::domain::refusal::Reason;
use crate::scim::value::format_time;
use crate::service::sign_on::attempts::{self, Wanted};

use super::frame::{Answer, Call, ok};
use super::table::Entry;

/// The routes.
pub const ROUTES: &[Entry] = &[
    Entry::new(
        ("GET", "C/sso/attempts"),
        Act::ReadAttempts,
        "List sign-ins, the latest first; by email, state, code, reference or since",
        || get().to(list),
    )
    .pages::<AttemptView>(),
    Entry::new(("GET", "C/sso/attempts/{attempt}"), Act::ReadAttempts, "See a sign-in", || {
        get().to(read)
    })
    .gives::<AttemptView>(200),
];

/// A sign-in.
#[derive(Serialize, ToSchema)]
struct AttemptView {
    id: String,
    /// What the person was shown, to tell support.
    reference: String,
    /// The name of the connection.
    connection: String,
    /// Its version at that time.
    connection_version: i64,
    /// oidc, saml or social.
    protocol: &'static str,
    /// succeeded or refused.
    state: &'static str,
    /// Why it was refused.
    code: Option<String>,
    /// The same in words.
    detail: Option<String>,
    /// What to do about it.
    hint: Option<&'static str>,
    /// Who can mend it: person, idp, here or operator.
    fix_at: Option<&'static str>,
    /// The address that was claimed.
    email: Option<String>,
    user_id: Option<String>,
    /// The organization that was asked for.
    organization: Option<String>,
    /// What was claimed at all, each with a short digest of its value.
    claims: BTreeMap<String, String>,
    /// How far it came, and when.
    phases: Vec<Phase>,
}

/// A step of a sign-in.
#[derive(Serialize, ToSchema)]
struct Phase {
    /// begun, returned, verified or finished.
    phase: &'static str,
    at: String,
}

fn view(logged: Logged) -> Value {
    let attempt = logged.attempt;
    let reason = logged.code.as_deref().and_then(Reason::find);
    let steps = [
        ("begun", Some(attempt.created_at)),
        ("returned", attempt.consumed_at),
        ("verified", logged.verified_at),
        ("finished", Some(logged.finished_at)),
    ];
    let phase = |(phase, at): (&'static str, Option<jiff::Timestamp>)| {
        Some(Phase { phase, at: format_time(at?) })
    };
    json!(AttemptView {
        id: attempt.id,
        reference: attempt.reference,
        connection: attempt.door.name,
        connection_version: attempt.door.version,
        protocol: attempt.door.kind.name(),
        state: logged.outcome.name(),
        code: logged.code,
        detail: logged.detail,
        hint: reason.map(Reason::advice),
        fix_at: reason.map(|reason| reason.side().name()),
        email: logged.email,
        user_id: logged.user,
        organization: attempt.organization,
        claims: logged.claims.into_iter().collect(),
        phases: steps.into_iter().filter_map(phase).collect(),
    })
}

async fn list(call: Call) -> Answer {
    let page = call.page()?;
    let wanted = Wanted {
        email: call.parameter("email"),
        outcome: super::field("state", call.parameter("state").as_deref())?,
        code: call.parameter("code"),
        reference: call.parameter("reference"),
        since: super::time("since", call.parameter("since").as_deref())?,
    };
    let (before, limit) = (page.after.clone(), page.limit);
    let read = call.read(move |conn, at| {
        let before = Some(before.as_str()).filter(|before| !before.is_empty());
        attempts::page(conn, at.company()?.seq, &wanted, (before, limit + 1))
    });
    Ok(page.answer(read.await?.into_iter().map(view).collect()))
}

async fn read(call: Call) -> Answer {
    let id = call.part("attempt");
    let found = call.read(move |conn, at| attempts::find(conn, at.company()?.seq, &id)).await?;
    Ok(ok(&view(found)))
}
