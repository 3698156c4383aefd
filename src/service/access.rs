//! Who calls the management API, and what of it is theirs: a key or a session is checked, the company and
//! the organization of the request are found, and `domain::authorization` decides.

use crate::db::{self, DbConn};
use crate::domain::api_key::ApiKey;
use crate::domain::authorization::{self, Act, Standing};
use crate::domain::company::Company;
use crate::domain::event::Actor;
use crate::domain::id::CompanySeq;
use crate::domain::organization::{Organization, OrganizationSeq};
use crate::domain::presence::Presence;
use crate::domain::problem::Code;
use crate::domain::role::{CompanyRole, Permissions, Role};
use crate::domain::session::{Over, Session, SessionSettings};
use crate::domain::token::{self, Kind, TokenState};
use crate::domain::user::{User, UserStatus};

use super::error::{Error, Result, Unauthorized};
use super::{Keys, Service, sessions};

/// A credential that was found to be valid.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A program.
    Key(Box<ApiKey>),
    /// A person.
    Person(Box<Person>),
}

/// A person who signed in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The session.
    pub session: Session,
    /// How long sessions of the company last.
    pub settings: SessionSettings,
    /// The user.
    pub user: User,
    /// What the user is in the company.
    pub company_role: CompanyRole,
    /// What was given beside that.
    pub permissions: Permissions,
    /// What the user is where.
    pub roles: Vec<(OrganizationSeq, Role)>,
}

/// A caller at the place that a request names, allowed to do what it wants there.
#[derive(Debug, Clone)]
pub struct At {
    /// Who.
    pub caller: Caller,
    /// The company, where the request names one, or the caller has one.
    pub company: Option<Company>,
    /// The organization, where the request names one.
    pub organization: Option<Organization>,
}

/// What a request wants, and where.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it does.
    pub act: Act,
    /// The company in its path: id or slug.
    pub company: Option<String>,
    /// The organization in its path: an id; beside a company a slug as well.
    pub organization: Option<String>,
}

impl Caller {
    /// The one company that it belongs to; `None`: an operator's key.
    pub fn company(&self) -> Option<CompanySeq> {
        match self {
            Self::Key(key) => key.company,
            Self::Person(person) => Some(person.session.company),
        }
    }

    /// Its public id, which is no secret.
    pub fn id(&self) -> &str {
        match self {
            Self::Key(key) => &key.id,
            Self::Person(person) => &person.session.id,
        }
    }

    /// Its name in the record of changes.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Key(key) => Actor::ApiKey(key.id.clone()),
            Self::Person(person) => Actor::User(person.user.id.clone()),
        }
    }

    /// What decides what it may do, in this organization if one is meant.
    fn standing(&self, organization: Option<OrganizationSeq>) -> Standing {
        match self {
            Self::Key(key) => {
                Standing::Key { operator: key.company.is_none(), scopes: key.scopes.clone() }
            }
            Self::Person(person) => {
                let role = person.roles.iter().find(|(seq, _)| Some(*seq) == organization);
                Standing::Person {
                    company_role: person.company_role,
                    permissions: person.permissions.clone(),
                    role: role.map(|(_, role)| *role),
                    admin_somewhere: person.roles.iter().any(|(_, role)| *role == Role::Admin),
                }
            }
        }
    }
}

impl At {
    /// Whether the caller may do something further here, such as changing a field that asks for more
    /// than the rest of its resource.
    ///
    /// # Errors
    /// 403.
    pub fn may(&self, act: Act) -> Result<()> {
        let standing = self.caller.standing(self.organization.as_ref().map(|o| o.seq));
        let plan = self.company.as_ref().map(|company| company.plan);
        Ok(authorization::decide(&standing, act, plan)?)
    }

    /// The company; every request on a company's data has one.
    ///
    /// # Errors
    /// 404 `company_not_found` where the request names none.
    pub fn company(&self) -> Result<&Company> {
        self.company.as_ref().ok_or_else(|| Code::CompanyNotFound.into())
    }

    /// The organization.
    ///
    /// # Errors
    /// 404 `organization_not_found` where the request names none.
    pub fn organization(&self) -> Result<&Organization> {
        self.organization.as_ref().ok_or_else(|| Code::OrganizationNotFound.into())
    }

    /// Who it is, for the record of changes.
    pub fn actor(&self) -> Actor {
        self.caller.actor()
    }
}

/// Finds the company and the organization that a request names, and decides.
fn place(conn: &mut DbConn, caller: Caller, wanted: &Wanted) -> Result<At> {
    let mine = caller.company();
    let mut company = match &wanted.company {
        Some(name) => db::companies::find(conn, name)?,
        None => None,
    };
    // Another company's is answered as one that does not exist.
    company = company.filter(|company| mine.is_none_or(|mine| mine == company.seq));
    if wanted.company.is_some() && company.is_none() {
        return Err(Code::CompanyNotFound.into());
    }
    let organization = match (&wanted.organization, &company) {
        (None, _) => None,
        (Some(name), Some(company)) => db::organizations::find(conn, company.seq, name)?,
        (Some(id), None) => db::organizations::find_by_id(conn, id)?,
    };
    let organization = organization.filter(|o| mine.is_none_or(|mine| mine == o.company));
    if wanted.organization.is_some() && organization.is_none() {
        return Err(Code::OrganizationNotFound.into());
    }
    if company.is_none() {
        let seq = organization.as_ref().map(|o| o.company).or(mine);
        company = seq.map(|seq| db::companies::find_by_seq(conn, seq)).transpose()?.flatten();
    }
    let at = At { caller, company, organization };
    at.may(wanted.act)?;
    Ok(at)
}

/// Finds who has this secret, or the grant of this access token.
fn identify(
    conn: &mut DbConn,
    keys: &Keys,
    (presented, access): (&str, Option<&str>),
    now: jiff::Timestamp,
) -> Result<std::result::Result<Caller, Unauthorized>> {
    let parsed = |kind| token::parse(kind, presented);
    if let Some(grant) = access {
        let Some((_, presence)) = db::presence::of_grant(conn, grant)? else {
            return Ok(Err(Unauthorized::Over(Over::Ended)));
        };
        return match presence.over(now) {
            None => person(conn, presence),
            Some(over) => Ok(Err(Unauthorized::Over(over))),
        };
    }
    if let Some(text) = parsed(Kind::Session) {
        return match sessions::find(conn, keys, &text, now)? {
            Ok(presence) => person(conn, presence),
            Err(refusal) => Ok(Err(refusal)),
        };
    }
    // What is no key of ours costs the same work as one that is.
    let text = parsed(Kind::Api);
    let key = match &text {
        Some(text) => db::api_keys::find(conn, text.id)?,
        None => None,
    };
    let digest = key.as_ref().map_or([0; 32].as_slice(), |k| k.digest.as_slice());
    let fits = keys.fits(Kind::Api, text.map_or(presented, |t| t.secret), digest);
    let Some(key) = key.filter(|_| fits) else { return Ok(Err(Unauthorized::Unknown)) };
    Ok(match key.state(now) {
        TokenState::Live => Ok(Caller::Key(Box::new(key))),
        TokenState::Expired => Err(Unauthorized::Expired),
        TokenState::Revoked => Err(Unauthorized::Revoked),
    })
}

/// The person of a session; a deactivated user's sessions open nothing, whoever ended them.
fn person(
    conn: &mut DbConn,
    Presence { session, settings, .. }: Presence,
) -> Result<std::result::Result<Caller, Unauthorized>> {
    let company = session.company;
    let profile = db::profiles::user_by_seq(conn, company, session.user)?;
    let Some(profile) = profile.filter(|p| p.user.status() == UserStatus::Active) else {
        return Ok(Err(Unauthorized::Over(Over::UserDeactivated)));
    };
    let roles = db::sessions::roles(conn, company, session.user)?;
    let db::profiles::Profile { user, company_role, permissions, .. } = profile;
    let person = Person { session, settings, user, company_role, permissions, roles };
    Ok(Ok(Caller::Person(Box::new(person))))
}

impl Service {
    /// Lets a request of the management API in, or says why not: 401, 403, or 404 for what the caller
    /// cannot see.
    ///
    /// # Errors
    /// [`Error::Unauthorized`]; [`Error::TooMany`] after many failures of this address with this id;
    /// the refusals of [`authorization::decide`].
    pub async fn admit(&self, header: Option<&str>, ip: &str, wanted: Wanted) -> Result<At> {
        let presented = header.map(super::tokens::bearer).filter(|text| !text.is_empty());
        let presented = presented.ok_or(Error::Unauthorized(Unauthorized::Missing))?.to_owned();
        let public_id = [Kind::Api, Kind::Session].into_iter();
        let public_id = public_id.filter_map(|kind| token::parse(kind, &presented)).next();
        let public_id = public_id.map(|text| text.id.to_owned()).unwrap_or_default();
        let (keys, now) = (self.keys.clone(), self.clock.now());
        // An access token has dots, which no other credential has.
        let access = match presented.contains('.') {
            true => self.access_token(&presented).await?,
            false => None,
        };
        let read = move |conn: &mut DbConn| {
            let access = access.as_ref().map(|token| token.grant.as_str());
            match identify(conn, &keys, (&presented, access), now)? {
                Ok(caller) => place(conn, caller, &wanted).map(Ok),
                Err(refusal) => Ok(Err(refusal)),
            }
        };
        match self.look_up(read).await? {
            Ok(at) => Ok(at),
            Err(refusal) => {
                self.count_failure(ip, &public_id)?;
                Err(Error::Unauthorized(refusal))
            }
        }
    }
}
