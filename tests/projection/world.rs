//! The real thing: a company on a database, to which steps are done by the functions that every request calls.
//!
//! A sequence is one transaction that is rolled back, so that each begins with the same company.

mod acts;
mod look;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex};

use diesel::{RunQueryDsl, sql_query};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use stagedoor::clock::Clock;
use stagedoor::db;
use stagedoor::domain::api_key::ApiKey;
use stagedoor::domain::company::{Company, Plan};
use stagedoor::domain::connection::{Connection, Protocol};
use stagedoor::domain::event::Actor;
use stagedoor::domain::identity::{VerifiedIdentity, Way};
use stagedoor::domain::organization::Organization;
use stagedoor::domain::presence::Presence;
use stagedoor::domain::role::{self, Permissions};
use stagedoor::service::access::{At, Caller, Person};
use stagedoor::service::companies::{self, NewCompany};
use stagedoor::service::connections::Slot;
use stagedoor::service::login::{self, Outcome};
use stagedoor::service::organizations::{self, NewOrganization};
use stagedoor::service::{
    Cx, Directory, Error, KeySource, Keys, Result, Service, api_keys, connections, teams,
};

use crate::model::Answer;
use crate::postgres::TestDatabase;
use crate::seen::Seen;
use crate::steps::{GROUPS, LOCAL, Member, ORGANIZATIONS, Role, Step, USERS};

/// Fixed: 2026-02-03T04:05:06Z. Each step is a second later than the one before.
const NOON: i64 = 1_770_091_506;
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// What every sequence begins with.
#[derive(Clone)]
struct Ground {
    company: Company,
    organizations: Vec<Organization>,
    /// The ids of the local teams of each organization.
    teams: Vec<Vec<String>>,
    connection: i64,
    key: ApiKey,
    keys: Keys,
}

/// A database with a company.
pub struct World {
    service: Service,
    ground: Arc<Ground>,
    // Behind the service, which is to be closed first.
    _home: Box<dyn std::any::Any>,
}

/// A place where a sequence lands, and how far it came.
type Found = Arc<Mutex<std::result::Result<(), String>>>;

fn wait<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(work)
}

fn found(cx: &mut Cx<'_>, keys: Keys) -> Result<Ground> {
    let new = NewCompany::new("acme".to_owned(), "Acme".to_owned(), Plan::Enterprise, true);
    let company = companies::create(cx, &Actor::Command, new)?;
    sql_query("UPDATE companies SET settings = '{\"jit_provisioning\": true}'").execute(cx.conn)?;
    let company = db::companies::find(cx.conn, &company.id)?.unwrap();
    let new = connections::blank(company.seq, Slot::Company, ("okta", Protocol::Oidc), cx.now)?;
    let new = Connection { id: cx.clock.id(), name: "acme".to_owned(), ..new };
    let connection = db::connections::insert(cx.conn, &new)?;
    let (mut all, mut local) = (Vec::new(), Vec::new());
    for n in 0..ORGANIZATIONS {
        let new = NewOrganization {
            slug: None,
            name: format!("o{n}"),
            automatic_user_access: n == 0,
            default_role: role::Role::Member,
        };
        let organization = organizations::create(cx, &Actor::Command, &company, new)?;
        let ids = LOCAL.map(|name| {
            let what = (name.to_owned(), String::new());
            teams::create(cx, &Actor::Command, &organization, what).map(|team| team.id)
        });
        local.push(ids.into_iter().collect::<Result<Vec<String>>>()?);
        all.push(organization);
    }
    let new = api_keys::NewKey {
        name: "test".to_owned(),
        scopes: Permissions::default(),
        life: SignedDuration::from_hours(24 * 365),
    };
    let (key, _) = api_keys::create(cx, &keys, &Actor::Command, (None, new))?;
    Ok(Ground { company, organizations: all, teams: local, connection, key, keys })
}

impl World {
    /// Makes the company on a new database.
    pub fn new(database: Database) -> Self {
        let (home, url): (Box<dyn std::any::Any>, String) = match database {
            Database::Sqlite => {
                let files = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", files.path().join("world.db").display());
                (Box::new(files), url)
            }
            Database::Postgres => {
                let database = TestDatabase::empty();
                let url = database.url();
                (Box::new(database), url)
            }
        };
        let key = KeySource::Text("5e".repeat(32));
        let clock = Clock::fixed(Timestamp::from_second(NOON).unwrap());
        let service = Service::open(&url, &key, clock).unwrap();
        let keys = service.keys();
        let ground = wait(service.transact(move |cx| found(cx, keys))).unwrap();
        Self { service, ground: Arc::new(ground), _home: home }
    }

    /// Plays a sequence, and lets `judge` see what each step answered and what there is then.
    pub fn play(
        &self,
        steps: &[Step],
        judge: impl FnMut(&Step, &Answer, &Seen) -> std::result::Result<(), String>
        + Clone
        + Send
        + 'static,
    ) -> std::result::Result<(), String> {
        let verdict: Found = Arc::new(Mutex::new(Err("nothing was played".to_owned())));
        let (ground, steps, told) =
            (Arc::clone(&self.ground), steps.to_vec(), Arc::clone(&verdict));
        let done = wait(self.service.transact(move |cx| -> Result<()> {
            let mut judge = judge.clone();
            let outcome = Play::new(cx, &ground)?.all(&steps, &mut judge);
            *told.lock().unwrap() = outcome;
            Err(Error::Refused("it is rolled back".to_owned()))
        }));
        match done {
            Err(Error::Refused(_)) => {}
            other => return Err(format!("{other:?}")),
        }
        Arc::into_inner(verdict).map_or_else(|| Err("busy".to_owned()), |v| v.into_inner().unwrap())
    }
}

/// One sequence under way.
struct Play<'p, 'c> {
    cx: &'p mut Cx<'c>,
    ground: &'p Ground,
    directory: Directory,
    users: [Option<String>; USERS],
    groups: [Option<String>; GROUPS],
    /// The newest session of each user.
    sessions: [Option<String>; USERS],
}

fn address(user: usize) -> String {
    format!("u{user}@acme.example")
}

fn role_of(role: Role) -> role::Role {
    match role {
        Role::Member => role::Role::Member,
        Role::Moderator => role::Role::Moderator,
        Role::Admin => role::Role::Admin,
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { unreachable!("an object") };
    map
}

impl<'p, 'c> Play<'p, 'c> {
    fn new(cx: &'p mut Cx<'c>, ground: &'p Ground) -> Result<Self> {
        let directory = Directory::load(cx.conn, ground.company.seq)?;
        let (users, groups, sessions) = Default::default();
        Ok(Self { cx, ground, directory, users, groups, sessions })
    }

    fn all(
        mut self,
        steps: &[Step],
        judge: &mut impl FnMut(&Step, &Answer, &Seen) -> std::result::Result<(), String>,
    ) -> std::result::Result<(), String> {
        for (n, step) in steps.iter().enumerate() {
            self.cx.now += SECOND;
            let answer = self.answer(step)?;
            let seen = self.seen().map_err(|error| format!("step {n}, looking: {error:?}"))?;
            judge(step, &answer, &seen).map_err(|why| format!("step {n}, {step:?}: {why}"))?;
        }
        Ok(())
    }

    /// What a step answers: a refusal undoes it, as it does in a request.
    fn answer(&mut self, step: &Step) -> std::result::Result<Answer, String> {
        let (ground, directory) = (self.ground, self.directory.clone());
        let (mut users, mut groups, mut sessions) =
            (self.users.clone(), self.groups.clone(), self.sessions.clone());
        let done = self.cx.nested(|cx| {
            let play = Play {
                cx,
                ground,
                directory,
                users: users.clone(),
                groups: groups.clone(),
                sessions: sessions.clone(),
            };
            let mut play = play;
            let answer = play.act(step)?;
            (users, groups, sessions) = (play.users, play.groups, play.sessions);
            Ok(answer)
        });
        match done {
            Ok(answer) => {
                (self.users, self.groups, self.sessions) = (users, groups, sessions);
                Ok(answer)
            }
            Err(Error::Problem(problem)) => Ok(problem.code.name().to_owned()),
            Err(Error::Scim(error)) => {
                let keyword = error.scim_type.map(|keyword| json!(keyword));
                Ok(keyword.and_then(|k| Some(k.as_str()?.to_owned())).unwrap_or_default())
            }
            Err(Error::NotFound(_)) => Ok("not_found".to_owned()),
            Err(other) => Err(format!("{step:?}: {other:?}")),
        }
    }

    /// What `/api/v1` decides once it has let an operator's key in.
    fn at(&self, organization: Option<usize>) -> Result<At> {
        let organization = organization.map(|n| self.ground.organizations[n].clone());
        let company = Some(self.ground.company.clone());
        Ok(At { caller: Caller::Key(Box::new(self.ground.key.clone())), company, organization })
    }

    /// The company and an organization as they are by now.
    fn company(&mut self) -> Result<Company> {
        companies::find_to_change(self.cx, self.ground.company.seq)
    }

    fn organization(&mut self, n: usize) -> Result<Organization> {
        organizations::find_to_change(
            self.cx,
            self.ground.company.seq,
            &self.ground.organizations[n].id,
        )
    }

    fn user(&self, n: usize) -> Result<String> {
        self.users[n].clone().ok_or(Error::NotFound("User"))
    }

    fn group(&self, n: usize) -> Result<String> {
        self.groups[n].clone().ok_or(Error::NotFound("Group"))
    }

    /// Those of these members that are there, but for the group itself.
    fn members(&self, place: usize, members: &BTreeSet<Member>) -> Vec<Value> {
        let others = members.iter().filter(|member| **member != Member::Group(place));
        others.filter_map(|member| self.member(*member)).map(|id| json!({"value": id})).collect()
    }

    fn member(&self, member: Member) -> Option<String> {
        match member {
            Member::User(user) => self.users[user].clone(),
            Member::Group(group) => self.groups[group].clone(),
        }
    }

    fn act(&mut self, step: &Step) -> Result<Answer> {
        match step {
            Step::Login { user, claim, to } => {
                let claim =
                    claim.as_ref().map(|names| names.iter().map(|n| (*n).to_owned()).collect());
                return self.login(*user, (Way::Sso(self.ground.connection), claim), *to);
            }
            Step::Social { user, to } => return self.login(*user, (Way::Social, None), *to),
            Step::Switch { user, to } => return self.switch(*user, *to),
            Step::Provision(_) | Step::Active(..) | Step::DeleteUser(_) => {
                self.change_user(step)?;
            }
            Step::CreateGroup(..)
            | Step::DeleteGroup(_)
            | Step::Rename(..)
            | Step::Add(..)
            | Step::Remove(..)
            | Step::Replace(..) => return self.change_group(step),
            Step::Filters { .. }
            | Step::Automatic(..)
            | Step::Modes { .. }
            | Step::MultiGroup(_)
            | Step::Mappings(..)
            | Step::Resync => self.change_rules(step)?,
            Step::Invite { .. }
            | Step::Expel(..)
            | Step::Suspend(..)
            | Step::SetRole(..)
            | Step::Deactivate(..)
            | Step::Promote(..)
            | Step::Local(..) => self.manage(step)?,
        }
        Ok("ok".to_owned())
    }

    fn login(
        &mut self,
        user: usize,
        (way, groups): (Way, Option<Vec<String>>),
        to: Option<usize>,
    ) -> Result<Answer> {
        let company = self.company()?;
        let issuer = match way {
            Way::Sso(_) => "https://idp.example",
            Way::Social => "https://social.example",
        };
        let identity = VerifiedIdentity {
            issuer: issuer.to_owned(),
            subject: format!("x{user}"),
            email: address(user),
            groups,
            ..VerifiedIdentity::default()
        };
        let to = to.map(|n| self.ground.organizations[n].id.clone());
        let keys = self.ground.keys.clone();
        let came = login::complete(self.cx, &keys, &company, (way, &identity), to.as_deref())?;
        let made = db::invitations::addressees(self.cx.conn, company.seq, &address(user))?;
        self.users[user] = made.into_iter().next().map(|(_, id, _)| id);
        match came {
            Outcome::Refused(problem) => Ok(problem.code.name().to_owned()),
            Outcome::SignedIn(login) => {
                let at = login.session.organization;
                self.sessions[user] = Some(login.session.id);
                let place = self.ground.organizations.iter().position(|o| Some(o.seq) == at);
                Ok(place.map_or("nowhere".to_owned(), |place| format!("in {place}")))
            }
        }
    }

    /// The two units of work of a switch, of which the first holds whatever the second says.
    fn switch(&mut self, user: usize, to: usize) -> Result<Answer> {
        let to = self.ground.organizations[to].id.clone();
        let Some(at) = self.person(user)? else { return Ok("unauthorized".to_owned()) };
        let code = |error: Error| match error {
            Error::Problem(problem) => Ok(problem.code.name().to_owned()),
            other => Err(other),
        };
        if let Err(error) = self.cx.nested(|cx| login::prepare_switch(cx, &at, &to)) {
            return code(error);
        }
        match self.cx.nested(|cx| login::switch(cx, &at, &to)) {
            Ok(_) => Ok("ok".to_owned()),
            Err(error) => code(error),
        }
    }

    /// The person of the user's newest session, where that opens anything.
    fn person(&mut self, user: usize) -> Result<Option<At>> {
        let Some(id) = &self.sessions[user] else { return Ok(None) };
        let company = self.ground.company.seq;
        let presence = db::presence::of_session(self.cx.conn, id)?;
        let presence = presence.filter(|presence| presence.over(self.cx.now).is_none());
        let Some(Presence { session, settings, .. }) = presence else { return Ok(None) };
        let profile = db::profiles::user_by_seq(self.cx.conn, company, session.user)?;
        let Some(profile) = profile else { return Ok(None) };
        let roles = db::sessions::roles(self.cx.conn, company, session.user)?;
        let db::profiles::Profile { user, company_role, permissions, .. } = profile;
        let person = Person { session, settings, user, company_role, permissions, roles };
        Ok(Some(At { caller: Caller::Person(Box::new(person)), ..self.at(None)? }))
    }
}
