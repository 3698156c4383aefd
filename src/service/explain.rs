//! Why a user may enter an organization or not, and their teams there: gathers what `domain::explain` goes by,
//! with a number of statements that depends on nothing, from the functions that logins and switches ask.
//!
//! One rule lies in SQL as well: which organizations a session may enter (`db::sessions::roles`), since that
//! is asked at every request. `explain::it_says_what_logins_and_switches_do` holds the two together.

use crate::db::memberships::Seat;
use crate::db::{self, DbConn};
use crate::domain::authorization::Standing;
use crate::domain::company::Company;
use crate::domain::connection::{Connection, State};
use crate::domain::explain::{self, Domain, Explanation, Facts, Question, Teams};
use crate::domain::invitation::is_address;
use crate::domain::organization::Organization;
use crate::domain::problem::Code;
use crate::domain::projection::Seen;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::domain::verified_domain;

use super::error::{Error, Result};
use super::{connections, memberships, organizations, profiles, projection};

/// Explains what this user (id, `userName` or address) is to this organization (id or slug) of the company.
///
/// # Errors
/// [`Error::NotFound`] of either; 409 `email_ambiguous`.
pub fn access(
    conn: &mut DbConn,
    company: &Company,
    (user, organization): (&str, &str),
    question: &Question,
) -> Result<Explanation> {
    let organization = organizations::find(conn, company.seq, organization)?;
    let profile = profiles::named(conn, company.seq, user)?;
    let seat = db::memberships::find(conn, &organization, &profile.user.id)?;
    let mut seat = seat.ok_or(Error::NotFound("User"))?;
    let connection = connection(conn, company, &organization)?;
    let teams = teams(conn, &organization, &mut seat)?;
    let member = memberships::membership(&organization, &seat);
    let roles = db::sessions::roles(conn, company.seq, seat.user.seq)?;
    let elsewhere = roles.iter().filter(|(seq, _)| *seq != organization.seq);
    let elsewhere: Vec<Role> = elsewhere.map(|(_, role)| *role).collect();
    let standing = Standing::Person {
        company_role: profile.company_role,
        permissions: profile.permissions,
        role: member.as_ref().map(|member| member.role),
        admin_somewhere: roles.iter().any(|(_, role)| *role == Role::Admin),
    };
    let email = address(&seat.user)?;
    let (domain, social) = door(conn, company, email.as_deref())?;
    let facts = Facts {
        company,
        organization: &organization,
        connection: connection.as_ref(),
        user: &seat.user,
        email: email.as_deref(),
        domain: domain.as_ref(),
        social,
        origin: profile.origin,
        by_sso: seat.by_sso,
        row: seat.membership.as_ref(),
        member: member.as_ref(),
        standing: &standing,
        elsewhere: &elsewhere,
        teams: &teams,
    };
    Ok(explain::explain(&facts, question))
}

/// The user's teams there; and of the row what a sync, which comes before every entrance, would take away.
fn teams(conn: &mut DbConn, organization: &Organization, seat: &mut Seat) -> Result<Teams> {
    let (company, user) = (organization.company, seat.user.seq);
    let last = db::team_syncs::last(conn, company, (user, organization.seq))?;
    let Some(glance) = projection::glance(conn, company, organization.seq, user)? else {
        let (seen, sync) = (Seen::Absent, Default::default());
        let (held, mapped) = (Vec::new(), Vec::new());
        return Ok(Teams { by_mapping: false, seen, refused: None, sync, held, mapped, last });
    };
    let unmapped = (glance.unmapped == Some(true)).then_some(Code::NoMappedGroup);
    if let Some(row) = &mut seat.membership {
        row.unmapped |= glance.outcome.unmapped == Some(true);
    }
    let seqs: Vec<i64> = glance.mapped.iter().map(|(team, _)| *team).collect();
    let names = db::teams::names(conn, company, &seqs)?;
    let mapped = glance.mapped.into_iter().map(|(team, group)| {
        let name = names.get(&team).cloned().unwrap_or_default();
        (team, name, group)
    });
    Ok(Teams {
        by_mapping: glance.by_mapping,
        seen: glance.seen,
        refused: glance.refused.or(unmapped),
        sync: glance.outcome,
        held: glance.held,
        mapped: mapped.collect(),
        last,
    })
}

/// What people come in through there: the organization's own connection where it lets them in, else the company's,
/// which serves all organizations.
fn connection(
    conn: &mut DbConn,
    company: &Company,
    organization: &Organization,
) -> Result<Option<Connection>> {
    let own = connections::of_organization(conn, company.seq, organization.seq)?;
    if own.as_ref().is_none_or(|own| own.organization.is_none() || own.state == State::Active) {
        return Ok(own);
    }
    Ok(db::connections::find(conn, company.seq, None)?.or(own))
}

/// The domain of an address, and whether people who have one may come in through a social connection: as a
/// sign-in asks it, of the company's own domains.
fn door(
    conn: &mut DbConn,
    company: &Company,
    email: Option<&str>,
) -> Result<(Option<Domain>, bool)> {
    let social = company.settings.basic_auth_enabled != Some(false)
        && !db::social_connections::enabled(conn)?.is_empty();
    let Some(name) = email.and_then(verified_domain::of_email) else { return Ok((None, social)) };
    let owner = db::domains::owner_of(conn, &name)?.filter(|owner| owner.company == company.seq);
    let blocked = owner.as_ref().is_some_and(|owner| owner.blocks_social_login);
    let claimed = db::domains::find(conn, company.seq, &name)?.is_some();
    let verified = owner.is_some();
    Ok((Some(Domain { name, claimed, verified }), social && !blocked))
}

/// The address under which the user can be invited.
fn address(user: &User) -> Result<Option<String>> {
    let resource = user.resource()?;
    let name = resource.user_name();
    if is_address(name) {
        return Ok(Some(name.to_owned()));
    }
    let emails = resource.0.get("emails").and_then(serde_json::Value::as_array);
    let all = emails.into_iter().flatten().filter_map(|email| email.get("value")?.as_str());
    Ok(all.into_iter().find(|email| is_address(email)).map(str::to_owned))
}
