//! The record of connections to identity providers: made by an operator, read by who manages SSO. Signing
//! in through one is another matter.

use serde_json::json;

use crate::db::{self, DbConn};
use crate::domain::company::Company;
use crate::domain::connection::{Connection, Document, Protocol, State, check, free_name};
use crate::domain::event::{Action, Actor};
use crate::domain::id::CompanySeq;
use crate::domain::organization::{Organization, OrganizationSeq};
use crate::domain::problem::{Code, Problem};

use super::companies::or_taken;
use super::error::{Error, Result};
use super::{Cx, events};

/// The company's own connection.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, company: CompanySeq) -> Result<Connection> {
    db::connections::find(conn, company, None)?.ok_or(Error::NotFound("Connection"))
}

/// What an organization signs in through: its legacy connection, else the company's (D1).
///
/// # Errors
/// The database's.
pub fn of_organization(
    conn: &mut DbConn,
    company: CompanySeq,
    organization: OrganizationSeq,
) -> Result<Option<Connection>> {
    let legacy = db::connections::find(conn, company, Some(organization))?;
    match legacy {
        Some(legacy) => Ok(Some(legacy)),
        None => Ok(db::connections::find(conn, company, None)?),
    }
}

/// Makes the record of a connection: the company's, or a legacy one of an organization.
///
/// # Errors
/// 422 `invalid_field`; 409 `connection_exists` (D5).
pub fn create(
    cx: &mut Cx<'_>,
    (company, actor): (&Company, &Actor),
    organization: Option<&Organization>,
    (provider, protocol): (String, Protocol),
) -> Result<Connection> {
    check(&provider, protocol).map_err(|rule| Problem::field("provider", rule))?;
    db::companies::lock(cx.conn, company.seq)?;
    let organization_seq = organization.map(|organization| organization.seq);
    if db::connections::find(cx.conn, company.seq, organization_seq)?.is_some() {
        return Err(Code::ConnectionExists.into());
    }
    let base = match organization {
        Some(organization) => format!("{}-{}", company.slug, organization.slug),
        None => company.slug.clone(),
    };
    let taken = db::connections::names_like(cx.conn, &base)?;
    let mut made = Connection {
        seq: 0,
        id: cx.clock.id(),
        company: company.seq,
        organization: organization_seq,
        name: free_name(&base, &taken),
        provider,
        protocol,
        state: State::Draft,
        document: Document::default(),
        sealed_secret: None,
        candidate: false,
        created_at: cx.now,
        activated_at: None,
        version: 1,
    };
    // Another company may have taken the name at the same moment.
    let taken = Error::Unavailable("The connection's name was taken at the same moment; try again");
    made.seq = db::connections::insert(cx.conn, &made).map_err(|e| or_taken(e, taken))?;
    let detail = json!({"after": {
        "name": made.name, "provider": made.provider, "protocol": made.protocol.name(),
    }});
    events::record(cx, company.seq, actor, (Action::ConnectionCreated, &made.id), detail)?;
    Ok(made)
}
