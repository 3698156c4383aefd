//! Companies and their custom schemas.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::db::sessions::Which;
use crate::db::{self, DbConn, DbError};
use crate::domain::company::{Company, Plan, Settings, check_slug};
use crate::domain::event::{Action, Actor};
use crate::domain::id::CompanySeq;
use crate::domain::name;
use crate::domain::problem::{Code, Problem};
use crate::scim::ResourceType;
use crate::scim::schema::{self, Schema};

use super::error::{Error, Result};
use super::{Cx, Directory, events, groups, sessions, users};

/// Most custom schemas of one company.
pub const MAX_SCHEMAS: usize = 20;

/// What a new company is made from.
#[derive(Debug, Clone)]
pub struct NewCompany {
    /// Its short name; unique in the installation.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What it pays for.
    pub plan: Plan,
    /// Whether its IdP may push over SCIM.
    pub scim_enabled: bool,
    /// Whether it may have several organizations.
    pub multi_org: bool,
    /// Whether its own people may set up SSO (row 145: off unless said).
    pub self_serve_sso: bool,
    /// Where the operator keeps it.
    pub region: Option<String>,
}

impl NewCompany {
    /// A company as a command makes it.
    pub fn new(slug: String, name: String, plan: Plan, scim_enabled: bool) -> Self {
        let (multi_org, self_serve_sso, region) = (true, false, None);
        Self { slug, name, plan, scim_enabled, multi_org, self_serve_sso, region }
    }
}

/// What is to change of a company; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Its name for people.
    pub name: Option<String>,
    /// What it pays for.
    pub plan: Option<Plan>,
    /// Whether its IdP may push over SCIM.
    pub scim_enabled: Option<bool>,
    /// Whether it may have several organizations.
    pub multi_org: Option<bool>,
    /// Whether its own people may set up SSO.
    pub self_serve_sso: Option<bool>,
    /// Where the operator keeps it.
    pub region: Option<String>,
    /// Most people whose teams a change of group filters may take without being confirmed.
    pub confirm_impact_above: Option<i64>,
}

/// Makes a company.
///
/// # Errors
/// 422: a wrong slug, a blank name; 409 `slug_taken`.
pub fn create(cx: &mut Cx<'_>, actor: &Actor, new: NewCompany) -> Result<Company> {
    check_name(&new.name)?;
    check_slug(&new.slug).map_err(|rule| Problem::field("slug", rule))?;
    let mut company = Company {
        seq: CompanySeq(0),
        id: cx.clock.id(),
        slug: new.slug,
        name: new.name,
        plan: new.plan,
        scim_enabled: new.scim_enabled,
        created_at: cx.now,
        region: new.region,
        multi_org: new.multi_org,
        self_serve_sso: new.self_serve_sso,
        settings: Settings::default(),
        version: 1,
    };
    let taken = Problem::new(Code::SlugTaken, format!("the slug {} is taken", company.slug));
    let stored = db::companies::insert(cx.conn, &company);
    company.seq = stored.map_err(|error| or_taken(error, taken.into()))?;
    let detail = json!({"after": shown(&company)});
    events::record(cx, company.seq, actor, (Action::CompanyCreated, &company.id), detail)?;
    Ok(company)
}

/// The settings that the record of a change shows.
fn shown(company: &Company) -> Value {
    json!({
        "name": company.name,
        "plan": company.plan.name(),
        "region": company.region,
        "multi_org": company.multi_org,
        "self_serve_sso": company.self_serve_sso,
        "scim_enabled": company.scim_enabled,
        "settings": company.settings,
    })
}

/// Checks the name of a company or an organization.
///
/// # Errors
/// 422: the rule that it breaks.
pub(super) fn check_name(name: &str) -> Result<()> {
    name::check_name(name).map_err(|rule| Problem::field("name", rule).into())
}

/// The company as it is now, for a unit of work that changes it: two of them take turns.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find_to_change(cx: &mut Cx<'_>, company: CompanySeq) -> Result<Company> {
    db::companies::lock(cx.conn, company)?;
    db::companies::find_by_seq(cx.conn, company)?.ok_or(Error::NotFound("Company"))
}

/// Changes a company's name, plan and switches.
///
/// # Errors
/// 422: a blank name; 412 `precondition_failed` where it changed since it was read.
pub fn change(
    cx: &mut Cx<'_>,
    actor: &Actor,
    mut company: Company,
    change: Change,
) -> Result<Company> {
    let before = shown(&company);
    if let Some(name) = change.name {
        check_name(&name)?;
        company.name = name;
    }
    company.plan = change.plan.unwrap_or(company.plan);
    company.scim_enabled = change.scim_enabled.unwrap_or(company.scim_enabled);
    company.multi_org = change.multi_org.unwrap_or(company.multi_org);
    company.self_serve_sso = change.self_serve_sso.unwrap_or(company.self_serve_sso);
    company.region = change.region.or(company.region);
    if let Some(most) = change.confirm_impact_above {
        if most < 0 {
            return Err(Problem::field("confirm_impact_above", "a number from 0 on").into());
        }
        company.settings.confirm_impact_above = Some(most);
    }
    save(cx, actor, company, &before)
}

/// Changes the company's other switches.
///
/// # Errors
/// 412 `precondition_failed` where it changed since it was read.
pub(super) fn set_settings(
    cx: &mut Cx<'_>,
    actor: &Actor,
    mut company: Company,
    settings: Settings,
) -> Result<Company> {
    let before = shown(&company);
    company.settings = settings;
    save(cx, actor, company, &before)
}

/// Stores a company where it differs from what was shown before.
///
/// # Errors
/// 412 `precondition_failed` where it changed since it was read.
fn save(cx: &mut Cx<'_>, actor: &Actor, mut company: Company, before: &Value) -> Result<Company> {
    let after = shown(&company);
    if *before == after {
        return Ok(company);
    }
    if !db::companies::update(cx.conn, &mut company)? {
        return Err(Code::PreconditionFailed.into());
    }
    let detail = json!({"before": before, "after": after});
    events::record(cx, company.seq, actor, (Action::CompanyUpdated, &company.id), detail)?;
    Ok(company)
}

/// Companies behind this id, in the order of their ids.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut DbConn, (after, limit): (&str, i64)) -> Result<Vec<Company>> {
    Ok(db::companies::page(conn, after, limit)?)
}

/// `taken` where the database found a value that must be unique twice, else the error itself.
pub(super) fn or_taken(error: DbError, taken: Error) -> Error {
    match error {
        DbError::DatabaseError(db::UniqueViolation, _) => taken,
        other => other.into(),
    }
}

/// All companies, the oldest first.
///
/// # Errors
/// The database's.
pub fn list(conn: &mut DbConn) -> Result<Vec<Company>> {
    Ok(db::companies::list(conn)?)
}

/// The company with this id or slug.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(conn: &mut DbConn, id_or_slug: &str) -> Result<Company> {
    db::companies::find(conn, id_or_slug)?.ok_or(Error::NotFound("Company"))
}

/// How many users and groups a company has.
///
/// # Errors
/// The database's.
pub fn counts(conn: &mut DbConn, company: CompanySeq) -> Result<(i64, i64)> {
    let users = db::counts::total(conn, company, ResourceType::User)?;
    Ok((users, db::counts::total(conn, company, ResourceType::Group)?))
}

/// Removes a company with its directory, tokens and schemas. Its sessions end first, so that applications hear of
/// it; the notices outlive it.
///
/// # Errors
/// [`Error::NotFound`].
pub fn delete(cx: &mut Cx<'_>, actor: &Actor, id_or_slug: &str) -> Result<()> {
    let company = find(cx.conn, id_or_slug)?;
    let whose = (company.seq, Which::Company, company.id.as_str());
    sessions::end(cx, actor, whose, "company_deleted")?;
    db::grants::keep_notices(cx.conn, company.seq)?;
    db::companies::delete(cx.conn, company.seq)?;
    let (place, detail) = (db::events::INSTALLATION, json!({"before": shown(&company)}));
    events::record(cx, place, actor, (Action::CompanyDeleted, &company.id), detail)
}

/// Registers a custom extension. What resources hold under its URN already is indexed by
/// [`reindex`], once no server goes by the former schemas any more
/// ([`SCHEMA_DELAY`](super::tokens::SCHEMA_DELAY)).
///
/// # Errors
/// [`Error::Scim`] with the fault of the document; [`Error::Refused`] where the URN is registered,
/// there are too many, or a stored resource holds what the schema does not allow.
pub fn add_schema(
    cx: &mut Cx<'_>,
    company: CompanySeq,
    resource_type: ResourceType,
    document: Value,
) -> Result<Schema> {
    let schema = schema::parse_extension(document)?;
    db::companies::lock(cx.conn, company)?;
    if db::companies::schemas(cx.conn, company)?.len() >= MAX_SCHEMAS {
        return Err(Error::Refused(format!("a company has at most {MAX_SCHEMAS} custom schemas")));
    }
    let text = serde_json::to_string(&schema)?;
    let key = (schema.id.to_ascii_lowercase(), resource_type.name());
    let taken = Error::Refused(format!("{} is registered already", schema.id));
    db::companies::insert_schema(cx.conn, company, (&key.0, key.1), &text, db::micros(cx.now))
        .map_err(|error| or_taken(error, taken))?;
    Ok(schema)
}

/// Takes a custom extension back; resources keep what they hold under its URN (ruling 16). Its
/// index is dropped by [`reindex`], as in [`add_schema`].
///
/// # Errors
/// [`Error::NotFound`].
pub fn remove_schema(cx: &mut Cx<'_>, company: CompanySeq, urn: &str) -> Result<()> {
    if !db::companies::delete_schema(cx.conn, company, &urn.to_ascii_lowercase())? {
        return Err(Error::NotFound("Schema"));
    }
    Ok(())
}

/// Resources that one unit of work of [`reindex`] looks at: others write between two of them.
pub const SLICE: i64 = 500;

/// Where [`reindex`] goes on: users first, then groups, each in the order of making.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    kind: ResourceType,
    behind: i64,
}

impl Default for Slice {
    fn default() -> Self {
        Self { kind: ResourceType::User, behind: 0 }
    }
}

/// Makes the index of some resources what the schemas of their directory now say, where it was what
/// they said `before`, and says where to go on; `None` where all are done.
///
/// In slices, since a large directory takes its time: a filter on a new attribute finds nobody until
/// its resource is reached, as it would until one large unit of work ended; nothing else differs.
///
/// # Errors
/// The database's.
pub fn reindex(cx: &mut Cx<'_>, before: &Directory, from: Slice) -> Result<Option<Slice>> {
    let after = Directory::load(cx.conn, before.company)?;
    let Slice { kind, behind } = from;
    let last = match kind {
        ResourceType::User if before.users != after.users => {
            users::reindex(cx, before, &after, behind)?
        }
        ResourceType::Group if before.groups != after.groups => {
            groups::reindex(cx, before, &after, behind)?
        }
        ResourceType::User | ResourceType::Group => None,
    };
    Ok(match (last, kind) {
        (Some(behind), kind) => Some(Slice { kind, behind }),
        (None, ResourceType::User) => Some(Slice { kind: ResourceType::Group, behind: 0 }),
        (None, ResourceType::Group) => None,
    })
}

/// The custom extensions of a company with the type of resource that each extends.
///
/// # Errors
/// The database's.
pub fn schemas(conn: &mut DbConn, company: CompanySeq) -> Result<Vec<(String, Arc<Schema>)>> {
    let rows = db::companies::schemas(conn, company)?;
    let parse = |(kind, text): (String, String)| Ok((kind, Arc::new(serde_json::from_str(&text)?)));
    rows.into_iter().map(parse).collect()
}
