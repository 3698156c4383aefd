//! Companies and their custom schemas: what the command line makes and shows.

use std::sync::Arc;

use serde_json::Value;

use crate::db::{self, DbConn, DbError};
use crate::domain::company::{Company, Plan, check_slug};
use crate::domain::id::CompanySeq;
use crate::domain::name::check_name;
use crate::scim::ResourceType;
use crate::scim::schema::{self, Schema};

use super::error::{Error, Result};
use super::{Cx, Directory, groups, users};

/// Most custom schemas of one company.
pub const MAX_SCHEMAS: usize = 20;

/// What a new company is made from.
#[derive(Debug, Clone)]
pub struct NewCompany {
    /// Its short name.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What it pays for.
    pub plan: Plan,
    /// Whether its IdP may push over SCIM.
    pub scim_enabled: bool,
}

/// Makes a company.
///
/// # Errors
/// [`Error::Refused`]: a wrong or taken slug, a wrong name.
pub fn create(cx: &mut Cx<'_>, new: NewCompany) -> Result<Company> {
    check_slug(&new.slug).map_err(Error::Refused)?;
    check_name(&new.name).map_err(Error::Refused)?;
    let mut company = Company {
        seq: CompanySeq(0),
        id: cx.clock.id(),
        slug: new.slug,
        name: new.name,
        plan: new.plan,
        scim_enabled: new.scim_enabled,
        created_at: cx.now,
    };
    let taken = || Error::Refused(format!("the slug {} is taken", company.slug));
    company.seq =
        db::companies::insert(cx.conn, &company).map_err(|error| or_taken(error, taken()))?;
    Ok(company)
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

/// Removes a company with its directory, tokens and schemas.
///
/// # Errors
/// [`Error::NotFound`].
pub fn delete(cx: &mut Cx<'_>, id_or_slug: &str) -> Result<()> {
    let company = find(cx.conn, id_or_slug)?;
    Ok(db::companies::delete(cx.conn, company.seq)?)
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
