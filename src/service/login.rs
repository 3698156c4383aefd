//! What a sign-in does once the identity provider's word is verified: the one place, for every protocol.

use serde_json::{Map, Value, json};

use crate::db::{self, Lock};
use crate::domain::company::{Company, TeamSyncMode};
use crate::domain::event::{Action, Actor};
use crate::domain::identity::{VerifiedIdentity, Way};
use crate::domain::lifecycle::Happening;
use crate::domain::organization::{Organization, OrganizationSeq};
use crate::domain::problem::{Code, Problem};
use crate::domain::role::Role;
use crate::domain::session::Session;
use crate::domain::user::{Origin, User};

use super::access::{At, Caller, Person};
use super::error::{Error, Result};
use super::recognition::{is_departed, recognise};
use super::sessions::{self, Beginning};
use super::{Cx, Directory, Keys, events, invitations, organizations, profiles, projection, users};

/// What came of a login. A refusal too may leave something behind, such as the end of a membership, and is
/// committed with it.
#[derive(Debug)]
pub enum Outcome {
    /// A session began.
    SignedIn(Box<Login>),
    /// None began.
    Refused(Problem),
}

/// A session that began.
#[derive(Debug)]
pub struct Login {
    /// The session.
    pub session: Session,
    /// Its secret, which is shown this once.
    pub secret: String,
    /// Who signed in.
    pub user: User,
    /// Where the user may enter, and as what; nowhere is no error (row 65).
    pub organizations: Vec<(OrganizationSeq, Role)>,
}

/// Somebody at the door: what the steps of a login hand on.
struct Visit<'v> {
    company: &'v Company,
    directory: Directory,
    way: Way,
    identity: &'v VerifiedIdentity,
    user: User,
}

/// Signs in whom the identity provider vouches for: finds the user or makes one (ruling 9), activates a
/// STAGED one, writes automatic access down, picks the organization, brings the teams there up to date, begins
/// a session. `wanted` is the id or slug of the organization that is asked for.
///
/// # Errors
/// [`Error::NotFound`] of the organization; 403 `user_not_provisioned`, `user_deleted`, `user_deactivated`,
/// `no_mapped_group` of a user who would be new; 409 `identity_conflict`, `email_ambiguous`. Nothing is kept
/// then; what is refused for other reasons is an [`Outcome`].
pub fn complete(
    cx: &mut Cx<'_>,
    keys: &Keys,
    company: &Company,
    (way, identity): (Way, &VerifiedIdentity),
    wanted: Option<&str>,
) -> Result<Outcome> {
    let wanted = wanted.map(|name| organizations::find(cx.conn, company.seq, name)).transpose()?;
    let directory = Directory::load(cx.conn, company.seq)?.for_actor(Actor::System);
    let (id, made) = match find_or_make(cx, company, &directory, (way, identity)) {
        // Of two first logins at once the other one may have come first, between two looks of this one.
        Err(error) if is_race(&error) => find_or_make(cx, company, &directory, (way, identity))?,
        found => found?,
    };
    let user = db::users::lock(cx.conn, company.seq, &id, Lock::Change)?;
    let user = user.ok_or(Error::NotFound("User"))?;
    let mut visit = Visit { company, directory, way, identity, user };
    if let Some(code) = visit.gate(cx)? {
        // The mapping lets nobody be made whom it lets in nowhere (D7: its gate comes before the making).
        let undone = made && code == Code::NoMappedGroup;
        return if undone { Err(code.into()) } else { Ok(Outcome::Refused(code.into())) };
    }
    visit.activate(cx)?;
    // The target is a place that a mapping leaves.
    if let Some(code) = visit.gate_again(cx)? {
        return Ok(Outcome::Refused(code.into()));
    }
    let target = visit.target(cx, wanted)?;
    visit.sync(cx, target.as_ref())?;
    // A sync by mappings gives and takes memberships: what holds now is asked once more.
    let roles = db::sessions::roles(cx.conn, company.seq, visit.user.seq)?;
    if target.as_ref().is_some_and(|target| !roles.iter().any(|(seq, _)| *seq == target.seq)) {
        return Ok(Outcome::Refused(Code::OrganizationAccessDenied.into()));
    }
    let (session, secret) = begin(cx, keys, &visit, target.as_ref())?;
    let login = Login { session, secret, user: visit.user, organizations: roles };
    Ok(Outcome::SignedIn(Box::new(login)))
}

/// The id of the user whom the identity is, and whether it was made now.
fn find_or_make(
    cx: &mut Cx<'_>,
    company: &Company,
    directory: &Directory,
    who: (Way, &VerifiedIdentity),
) -> Result<(String, bool)> {
    match recognise(cx, company.seq, who)? {
        Some(id) => Ok((id, false)),
        None => Ok((cx.nested(|cx| provision(cx, company, directory, who))?, true)),
    }
}

/// Whether an error may come of another login of the same moment: its link, or the user whom it made.
fn is_race(error: &Error) -> bool {
    match error {
        Error::Problem(problem) => problem.code == Code::IdentityConflict,
        Error::Scim(error) => error.status == 409,
        _ => false,
    }
}

/// Makes the user of a first login where the company lets logins do so; a social one never does.
fn provision(
    cx: &mut Cx<'_>,
    company: &Company,
    directory: &Directory,
    (way, identity): (Way, &VerifiedIdentity),
) -> Result<String> {
    if way == Way::Social || !company.jit_provisioning() {
        return Err(Code::UserNotProvisioned.into());
    }
    if is_departed(cx, company.seq, identity)? {
        return Err(Code::UserDeleted.into());
    }
    invitations::make_user(cx, directory, identity.profile(), (&identity.email, Origin::Login))
}

impl Visit<'_> {
    /// Keeps the groups that are claimed, and says why they or the teams of this user let nobody in, where
    /// the company lets them decide: asked before the lifecycle, since a mapped group that returns
    /// reactivates (row 169). Who is deactivated for another cause is not looked at. A social login claims
    /// nothing, and leaves what the last one claimed.
    fn gate(&mut self, cx: &mut Cx<'_>) -> Result<Option<Code>> {
        let (user, claim) = (&self.user, self.identity.groups.as_deref());
        let barred = !user.active || user.admin_deactivated;
        if barred || self.way == Way::Social {
            return Ok(None);
        }
        let refused = projection::admit(cx, self.company.seq, user.seq, claim)?;
        if self.maps() {
            let found = db::users::lock(cx.conn, self.company.seq, &self.user.id, Lock::Change)?;
            self.user = found.ok_or(Error::NotFound("User"))?;
        }
        Ok(refused)
    }

    /// The same once the rows of automatic access are there, of which a mapping may end some.
    fn gate_again(&self, cx: &mut Cx<'_>) -> Result<Option<Code>> {
        if !self.maps() || self.way == Way::Social {
            return Ok(None);
        }
        let claim = self.identity.groups.as_deref();
        projection::admit(cx, self.company.seq, self.user.seq, claim)
    }

    /// Whether mappings decide who gets in.
    fn maps(&self) -> bool {
        self.company.settings.team_sync_mode == TeamSyncMode::Mapping
    }

    /// Brings the teams where the login leads to up to date.
    fn sync(&self, cx: &mut Cx<'_>, target: Option<&Organization>) -> Result<()> {
        let Some(target) = target else { return Ok(()) };
        projection::at_login(cx, self.company.seq, target.seq, self.user.seq).map(drop)
    }

    /// The lifecycle's step, the link, and the rows of automatic access, which SSO alone gives (row 69).
    fn activate(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let company = self.company.seq;
        let step = users::stand(cx, &self.directory, &mut self.user, Happening::SignsIn)?;
        if step.moved() {
            users::keep_standing(cx, &self.directory, &mut self.user, &step)?;
            self.describe(cx)?;
        }
        db::invitations::accept(cx.conn, company, self.user.seq, cx.now)?;
        let Way::Sso(connection) = self.way else { return Ok(()) };
        let link = (self.identity, self.user.seq);
        let linked = db::identities::link(cx.conn, (company, connection), link, cx.now);
        linked.map_err(|e| super::companies::or_taken(e, Code::IdentityConflict.into()))?;
        let whose = (self.user.seq, connection);
        let admitted = db::memberships::admit(cx.conn, company, whose, cx.now)?;
        if admitted.is_empty() {
            return Ok(());
        }
        let detail = json!({"organization_ids": admitted, "source": "automatic"});
        let what = (Action::AccessGranted, self.user.id.as_str());
        events::record(cx, company, &Actor::System, what, detail)
    }

    /// Writes down what is told of somebody of whom an invitation knew the address alone. What is there stays,
    /// and whom the directory made it describes (ruling 8).
    fn describe(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let (company, told) = (self.company.seq, self.identity.profile());
        let profile = db::profiles::user_by_seq(cx.conn, company, self.user.seq)?;
        if profile.is_none_or(|profile| profile.origin != Origin::Invitation) {
            return Ok(());
        }
        let known = self.user.resource()?;
        let new = |name: &String| !known.0.contains_key(name);
        let told: Map<String, Value> = told.into_iter().filter(|(name, _)| new(name)).collect();
        if told.is_empty() {
            return Ok(());
        }
        self.user = profiles::fill(cx, &self.directory, &self.user.id, &told)?;
        Ok(())
    }

    /// The organization to work in: the one asked for, else where the user worked last, else the first.
    fn target(
        &self,
        cx: &mut Cx<'_>,
        wanted: Option<Organization>,
    ) -> Result<Option<Organization>> {
        if wanted.is_some() {
            return Ok(wanted);
        }
        let company = self.company.seq;
        let roles = db::sessions::roles(cx.conn, company, self.user.seq)?;
        let last = db::sessions::last_organization(cx.conn, company, self.user.seq)?;
        let last = last.filter(|last| roles.iter().any(|(seq, _)| seq == last));
        let first = roles.iter().map(|(seq, _)| *seq).min();
        match last.or(first) {
            Some(seq) => Ok(db::organizations::some(cx.conn, company, &[seq])?.pop()),
            None => Ok(None),
        }
    }
}

/// Begins a session in an organization, or in none.
fn begin(
    cx: &mut Cx<'_>,
    keys: &Keys,
    visit: &Visit<'_>,
    organization: Option<&Organization>,
) -> Result<(Session, String)> {
    let connection = match visit.way {
        Way::Sso(connection) => Some(connection),
        Way::Social => None,
    };
    let at_provider = &visit.identity.at_provider;
    let (company, user) = (visit.company, &visit.user);
    let begun = sessions::begin(
        cx,
        keys,
        &Beginning { company, user, connection, organization, at_provider },
    )?;
    if let Some(organization) = organization {
        db::memberships::enter(cx.conn, organization, visit.user.seq, cx.now)?;
    }
    Ok(begun)
}

/// The person who calls.
///
/// # Errors
/// 404 `user_not_found`: a key is nobody.
pub fn person(at: &At) -> Result<&Person> {
    match &at.caller {
        Caller::Person(person) => Ok(person),
        Caller::Key(_) => Err(Problem::new(Code::UserNotFound, "An API key is nobody").into()),
    }
}

/// Where the person who calls may enter now, each organization with the role there.
///
/// # Errors
/// The database's.
pub fn organizations_of(
    conn: &mut db::DbConn,
    person: &Person,
) -> Result<Vec<(Organization, Role)>> {
    let company = person.session.company;
    let roles = db::sessions::roles(conn, company, person.user.seq)?;
    let seqs: Vec<OrganizationSeq> = roles.iter().map(|(seq, _)| *seq).collect();
    let all = db::organizations::some(conn, company, &seqs)?.into_iter();
    let with_role = |organization: Organization| {
        let role = roles.iter().find(|(seq, _)| *seq == organization.seq)?.1;
        Some((organization, role))
    };
    Ok(all.filter_map(with_role).collect())
}

/// Brings the teams of the person who calls up to date in an organization that the person is about to enter
/// (row 76): a unit of work of its own, since it holds even where it ends the membership.
///
/// # Errors
/// 404 `user_not_found` of a key; [`Error::NotFound`] of the organization; 403 `organization_access_denied`.
pub fn prepare_switch(cx: &mut Cx<'_>, at: &At, organization: &str) -> Result<()> {
    prepare_entry(cx, &person(at)?.session, organization)
}

/// The same for any session.
///
/// # Errors
/// Those of [`prepare_switch`].
pub fn prepare_entry(cx: &mut Cx<'_>, session: &Session, organization: &str) -> Result<()> {
    let organization = enterable(cx, session, organization)?;
    projection::at_switch(cx, organization.company, organization.seq, session.user).map(drop)
}

/// Makes another organization the session's own, after [`prepare_switch`].
///
/// # Errors
/// Those of [`prepare_switch`].
pub fn switch(cx: &mut Cx<'_>, at: &At, organization: &str) -> Result<Organization> {
    enter(cx, &person(at)?.session, organization)
}

/// The same for any session, after [`prepare_entry`].
///
/// # Errors
/// Those of [`prepare_switch`].
pub fn enter(cx: &mut Cx<'_>, session: &Session, organization: &str) -> Result<Organization> {
    let organization = enterable(cx, session, organization)?;
    if let Some(connection) = session.connection {
        let whose = (session.user, connection);
        db::memberships::admit(cx.conn, organization.company, whose, cx.now)?;
    }
    db::sessions::enter(cx.conn, session, Some(organization.seq))?;
    db::memberships::enter(cx.conn, &organization, session.user, cx.now)?;
    Ok(organization)
}

/// The organization, where the person of a session may enter it now.
fn enterable(cx: &mut Cx<'_>, session: &Session, name: &str) -> Result<Organization> {
    let organization = organizations::find(cx.conn, session.company, name)?;
    let place = (organization.company, organization.seq);
    match db::sessions::place(cx.conn, place, session.user)? {
        Some(_) => Ok(organization),
        None => Err(Code::OrganizationAccessDenied.into()),
    }
}
