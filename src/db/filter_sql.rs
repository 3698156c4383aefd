//! A SCIM filter as a WHERE clause, always agreeing with `scim::filter` (RFC 7644 §3.4.2.2).
//!
//! Values are binds, never text. An attribute is asked of where its values are ([`leaves::home`]): its
//! column, its rows in `attribute_values`, or the facts of each resource; `members` and `groups` of
//! the rows that they are.

mod compare;
mod lead;

use crate::domain::id::CompanySeq;
use crate::scim::filter::{CompareOp, Condition};
use crate::scim::leaves::{self, Home};
use crate::scim::schema::{
    Attribute, AttributePath, Found, Kind, ResourceSchema, ResourceType, is_urn,
};

pub use compare::Column;
use compare::{compare_column, compare_key, is_narrow, literal};
pub use lead::Lead;

use super::dialect::Dialect;
use super::statement::Statement;
use super::values::type_code;

/// Turns conditions into SQL for one company and one type of resource, whose table is `r`.
#[derive(Clone, Copy)]
pub struct FilterSql<'s> {
    /// Whose data is asked.
    pub company: CompanySeq,
    /// What the names mean.
    pub schema: &'s ResourceSchema,
    /// The database that it is written for.
    pub dialect: Dialect,
}

/// Where the atoms of a condition look.
#[derive(Clone, Copy)]
enum Scope {
    /// A row of the resource's table, `r`.
    Resource,
    /// The same, of few that an index has found.
    Few,
    /// One element of a list: the row `e` that [`Dialect::each`] made of the facts.
    Element,
    /// One member of a group, or one group of a user: the row `x` of the other table, of this type,
    /// and for a user's groups whether it is held directly (`None`: not asked).
    Related(ResourceType, Option<&'static str>),
}

impl FilterSql<'_> {
    /// The condition on `r`, never NULL where a negation stands above it.
    pub fn condition(&self, condition: &Condition) -> Statement {
        self.boolean(condition, Scope::Resource)
    }

    fn boolean(&self, condition: &Condition, scope: Scope) -> Statement {
        match condition {
            Condition::And(items) => self.joined(items, " AND ", "TRUE", scope),
            // Of a disjunction no index answers more than a part: each part is found by its own.
            Condition::Or(items) => match scope {
                Scope::Resource => match self.found(condition) {
                    Some(set) => self.among(set),
                    None => self.joined(items, " OR ", "FALSE", scope),
                },
                Scope::Few | Scope::Element | Scope::Related(..) => {
                    self.joined(items, " OR ", "FALSE", scope)
                }
            },
            // A comparison with NULL is NULL, and so is its negation: it would lose the row.
            Condition::Not(inner) => {
                let mut out = Statement::new("NOT coalesce((");
                out.append(self.boolean(inner, scope)).sql("), FALSE)");
                out
            }
            Condition::Compare { path, op, key } => match scope {
                Scope::Resource | Scope::Few => self.compare(path, op, key),
                Scope::Element => self.of_element(path, |out, key_of| {
                    compare_key(out, key_of, op, key);
                }),
                Scope::Related(kind, held) => related_compare(kind, held, path, op, key),
            },
            Condition::Present(path) => match scope {
                Scope::Resource | Scope::Few => self.present(path),
                Scope::Element => self.of_element(path, not_empty),
                Scope::Related(..) => Statement::new("TRUE"),
            },
            Condition::Element { path, condition } => self.element(path, condition),
        }
    }

    fn joined(
        &self,
        items: &[Condition],
        between: &'static str,
        none: &'static str,
        scope: Scope,
    ) -> Statement {
        if items.is_empty() {
            return Statement::new(none);
        }
        let mut out = Statement::new("(");
        for (i, item) in items.iter().enumerate() {
            out.between(i, between).append(self.boolean(item, scope));
        }
        out.sql(")");
        out
    }

    fn compare(&self, path: &AttributePath, op: &CompareOp, key: &str) -> Statement {
        if let Some(kind) = self.relation(path) {
            let alone =
                Condition::Compare { path: path.clone(), op: op.clone(), key: key.to_owned() };
            return self.among(self.related(kind, &alone));
        }
        if let Some(column) = self.column(path) {
            return compare_column(column, op, key);
        }
        if path.extension.is_none() && path.name == "schemas" {
            return has_extension(self.dialect, key);
        }
        if self.home(path) == Home::Facts {
            return self.some_element(path, |out, key_of| compare_key(out, key_of, op, key));
        }
        self.among(self.with_value(path, op, key))
    }

    /// The resources with such a value in the index.
    fn with_value(&self, path: &AttributePath, op: &CompareOp, key: &str) -> Statement {
        let mut out = self.values_of("v", "v.resource_seq", &leaves::path_key(path));
        out.sql(" AND ");
        compare_key(&mut out, &Statement::new("v.value_key"), op, key);
        if !is_narrow(op, key) {
            out.sql(self.dialect.time_guard("v.resource_seq"));
        }
        out
    }

    fn home(&self, path: &AttributePath) -> Home {
        leaves::home(self.schema.resource_type, path)
    }

    fn present(&self, path: &AttributePath) -> Statement {
        if let Some(kind) = self.relation(path) {
            return Statement::new(match kind {
                ResourceType::Group => {
                    "EXISTS (SELECT 1 FROM group_members m WHERE m.member_type = 0 AND m.member_seq = r.seq)"
                }
                ResourceType::User => {
                    "EXISTS (SELECT 1 FROM group_members m WHERE m.group_seq = r.seq)"
                }
            });
        }
        match self.column(path) {
            Some(Column::Text(name)) => {
                let mut out = Statement::new("coalesce(");
                out.sql(name).sql(", '') <> ''");
                out
            }
            Some(Column::Flag(name) | Column::Time(name)) => {
                let mut out = Statement::default();
                out.sql(name).sql(" IS NOT NULL");
                out
            }
            None if path.extension.is_none() && path.name == "meta" => Statement::new("TRUE"),
            None if self.home(path) == Home::Facts => self.some_element(path, not_empty),
            None => {
                let mut out = if self.is_complex(path) {
                    self.parts_of("v", "v.resource_seq", path)
                } else {
                    self.values_of("v", "v.resource_seq", &leaves::path_key(path))
                };
                out.sql(" AND v.value_key <> ''").sql(self.dialect.time_guard("v.resource_seq"));
                self.among(out)
            }
        }
    }

    /// One element of a list satisfies the condition.
    fn element(&self, path: &AttributePath, condition: &Condition) -> Statement {
        if let Some(kind) = self.relation(path) {
            return self.among(self.related(kind, condition));
        }
        let mut whole = self.elements(path);
        whole.append(self.boolean(condition, Scope::Element)).sql(")");
        // An indexed equality leads, so that its few resources are the only ones looked at.
        match self.leading(condition) {
            Some((lead, key)) => {
                self.both(self.among(self.with_value(lead, &CompareOp::Eq, key)), whole)
            }
            None => whole,
        }
    }

    /// Both, the narrow one first.
    fn both(&self, few: Statement, whole: Statement) -> Statement {
        let mut out = Statement::new("(");
        out.append(few).sql(" AND ").append(whole).sql(")");
        out
    }

    /// Some element of the attribute, or a part of it, has a key that satisfies `test`.
    fn some_element(
        &self,
        path: &AttributePath,
        test: impl Fn(&mut Statement, &Statement),
    ) -> Statement {
        let mut out = self.elements(path);
        out.append(self.of_element(path, test)).sql(")");
        out
    }

    /// `EXISTS (SELECT … WHERE `: the elements `e` of an attribute among the facts of `r`.
    fn elements(&self, path: &AttributePath) -> Statement {
        let whole = leaves::path_key(&AttributePath { sub: None, ..path.clone() });
        let mut out = Statement::new("EXISTS (SELECT 1 FROM ");
        out.append(self.dialect.each(&Statement::new("r.facts"), &whole, "e")).sql(" WHERE ");
        out
    }

    /// The element `e` has a key that satisfies `test`: its own, that of the sub-attribute that the
    /// path names, or else that of any.
    fn of_element(
        &self,
        path: &AttributePath,
        test: impl Fn(&mut Statement, &Statement),
    ) -> Statement {
        let mut out = Statement::default();
        let Some(Found::Attribute { attribute, sub, .. }) = self.schema.find(&path.to_string())
        else {
            return Statement::new("FALSE");
        };
        match sub {
            Some(sub) => self.part(sub, &test, &mut out),
            None if attribute.kind == Kind::Complex => {
                out.sql("(FALSE");
                for sub in &attribute.sub_attributes {
                    out.sql(" OR ");
                    self.part(sub, &test, &mut out);
                }
                out.sql(")");
            }
            None => test(&mut out, &self.dialect.element_text("e")),
        }
        out
    }

    /// The part `sub` of the element `e` has a key that satisfies `test`.
    fn part(
        &self,
        sub: &Attribute,
        test: impl Fn(&mut Statement, &Statement),
        out: &mut Statement,
    ) {
        if !sub.multi_valued {
            return test(out, &self.dialect.part_text("e", &sub.name));
        }
        out.sql("EXISTS (SELECT 1 FROM ");
        out.append(self.dialect.each(&Statement::new("e.value"), &sub.name, "p")).sql(" WHERE ");
        test(out, &self.dialect.element_text("p"));
        out.sql(")");
    }

    /// `SELECT columns FROM attribute_values alias` of this path.
    fn values_of(&self, alias: &'static str, columns: &'static str, path: &str) -> Statement {
        let mut out = self.values(alias, columns);
        out.sql(" = ").text(path);
        out
    }

    /// The same, of all parts of a complex attribute: every element of a list has one at least.
    fn parts_of(
        &self,
        alias: &'static str,
        columns: &'static str,
        path: &AttributePath,
    ) -> Statement {
        let (from, to) = leaves::part_keys(path);
        let mut out = self.values(alias, columns);
        out.sql(" >= ").text(from).sql(format!(" AND {alias}.path < ")).text(to);
        out
    }

    fn values(&self, alias: &'static str, columns: &'static str) -> Statement {
        let mut out = Statement::new("SELECT ");
        out.sql(columns).sql(" FROM attribute_values ").sql(alias).sql(" WHERE ");
        out.sql(format!("{alias}.company_seq = ")).int(self.company.0);
        out.sql(format!(" AND {alias}.resource_type = ")).int(type_code(self.schema.resource_type));
        out.sql(format!(" AND {alias}.path"));
        out
    }

    fn among(&self, set: Statement) -> Statement {
        let mut out = Statement::new("r.seq IN (");
        out.append(set).sql(")");
        out
    }

    /// The resources one of whose members, or one of whose groups, satisfies the condition.
    fn related(&self, kind: ResourceType, condition: &Condition) -> Statement {
        match kind {
            ResourceType::Group => self.groups_of_user(condition),
            ResourceType::User => self.members_of_group(condition),
        }
    }

    /// The groups one of whose members satisfies the condition.
    fn members_of_group(&self, condition: &Condition) -> Statement {
        let mut out = Statement::default();
        for (i, kind) in [ResourceType::User, ResourceType::Group].into_iter().enumerate() {
            let table =
                if i == 0 { "users x" } else { " UNION ALL SELECT m.group_seq FROM groups x" };
            out.sql(if i == 0 { "SELECT m.group_seq FROM " } else { "" }).sql(table);
            out.sql(" CROSS JOIN group_members m WHERE x.company_seq = ").int(self.company.0);
            out.sql(" AND m.member_seq = x.seq AND m.member_type = ").int(type_code(kind));
            out.sql(" AND ").append(self.boolean(condition, Scope::Related(kind, None)));
        }
        out
    }

    /// The users one of whose groups, direct or above, satisfies the condition.
    fn groups_of_user(&self, condition: &Condition) -> Statement {
        if names(condition, "type") {
            return self.held_groups(condition);
        }
        // From the groups that fit down to everybody in them.
        let mut out = Statement::new(
            "WITH RECURSIVE below (seq) AS (SELECT x.seq FROM groups x WHERE x.company_seq = ",
        );
        out.int(self.company.0).sql(" AND ");
        out.append(self.boolean(condition, Scope::Related(ResourceType::Group, None)));
        out.sql(
            " UNION SELECT m.member_seq FROM below CROSS JOIN group_members m \
             WHERE m.group_seq = below.seq AND m.member_type = 1) \
             SELECT m.member_seq FROM below CROSS JOIN group_members m \
             WHERE m.group_seq = below.seq AND m.member_type = 0",
        );
        out
    }

    /// As [`Self::groups_of_user`] where the condition asks whether a group is held directly.
    fn held_groups(&self, condition: &Condition) -> Statement {
        let mut out = Statement::new(
            "WITH RECURSIVE held (user_seq, group_seq, direct) AS (\
             SELECT m.member_seq, m.group_seq, 1 FROM group_members m CROSS JOIN groups g \
             WHERE g.seq = m.group_seq AND m.member_type = 0 AND g.company_seq = ",
        );
        out.int(self.company.0).sql(
            " UNION SELECT held.user_seq, p.group_seq, 0 FROM held CROSS JOIN group_members p \
             WHERE p.member_type = 1 AND p.member_seq = held.group_seq) \
             SELECT h.user_seq FROM (SELECT user_seq, group_seq, max(direct) AS direct FROM held \
             GROUP BY user_seq, group_seq) h CROSS JOIN groups x WHERE x.seq = h.group_seq AND ",
        );
        let scope = Scope::Related(
            ResourceType::Group,
            Some("substr(x.id, 1, 0) || CASE h.direct WHEN 1 THEN 'direct' ELSE 'indirect' END"),
        );
        out.append(self.boolean(condition, scope));
        out
    }

    /// The other side of `groups` of a User (Group) or `members` of a Group (User stands for both).
    fn relation(&self, path: &AttributePath) -> Option<ResourceType> {
        match (self.schema.resource_type, path.extension.as_deref(), path.name.as_str()) {
            (ResourceType::User, None, "groups") => Some(ResourceType::Group),
            (ResourceType::Group, None, "members") => Some(ResourceType::User),
            _ => None,
        }
    }

    fn is_complex(&self, path: &AttributePath) -> bool {
        matches!(
            self.schema.find(&path.to_string()),
            Some(Found::Attribute { attribute, sub: None, .. }) if attribute.kind == Kind::Complex
        )
    }

    /// The column of `r` that holds this attribute.
    pub fn column(&self, path: &AttributePath) -> Option<Column> {
        if self.home(path) != Home::Column {
            return None;
        }
        if path.extension.is_some() {
            return Some(if path.name == "status" {
                Column::Text(STATUS)
            } else {
                Column::Time("r.activated_at")
            });
        }
        match (path.name.as_str(), path.sub.as_deref()) {
            ("id", None) => Some(Column::Text("r.id")),
            ("externalId", None) => Some(Column::Text("r.external_id")),
            ("displayName", None) => Some(Column::Text("r.display_name_key")),
            ("userName", None) => Some(Column::Text("r.user_name_key")),
            ("active", None) => Some(Column::Flag("r.active")),
            ("meta", Some("created")) => Some(Column::Time("r.created_at")),
            ("meta", Some("lastModified")) => Some(Column::Time("r.last_modified")),
            _ => None,
        }
    }
}

/// `UserStatus` of the row, as `domain::user::User::status` computes it. Nothing of a column that
/// compares byte by byte stands in front: to PostgreSQL the whole then compares so too.
const STATUS: &str = "substr(r.id, 1, 0) || CASE WHEN NOT r.active OR r.admin_deactivated THEN 'DEACTIVATED' \
     WHEN r.activated_at IS NULL THEN 'STAGED' ELSE 'ACTIVE' END";

/// A key that is there and no empty text (RFC 7644 table 3, `pr`).
fn not_empty(out: &mut Statement, key: &Statement) {
    out.append(key.clone()).sql(" <> ''");
}

/// Whether a condition speaks of this sub-attribute.
fn names(condition: &Condition, sub: &str) -> bool {
    match condition {
        Condition::Compare { path, .. } | Condition::Present(path) => {
            path.sub.as_deref() == Some(sub)
        }
        Condition::Element { condition, .. } | Condition::Not(condition) => names(condition, sub),
        Condition::And(items) | Condition::Or(items) => items.iter().any(|c| names(c, sub)),
    }
}

/// The resource's `schemas` list this URN, given in lower case.
///
/// Documents begin with that list, and no URN holds a quote or a bracket. Extensions are asked for
/// so seldom that no index is kept of them.
fn has_extension(dialect: Dialect, urn: &str) -> Statement {
    if !is_urn(urn) {
        return Statement::new("FALSE");
    }
    let mut out = Statement::new("lower(");
    out.sql(dialect.until("r.document", "]")).sql(") LIKE ");
    out.text(format!("%\"{}\"%", literal(urn))).sql(" ESCAPE '\\'");
    out
}

fn related_compare(
    kind: ResourceType,
    held: Option<&'static str>,
    path: &AttributePath,
    op: &CompareOp,
    key: &str,
) -> Statement {
    let column = match (path.sub.as_deref(), kind, held) {
        (Some("type"), _, Some(held)) => held,
        // `members.type` is not caseExact: its key is folded. As for `STATUS`, byte by byte.
        (Some("type"), ResourceType::User, None) => "substr(x.id, 1, 0) || 'user'",
        (Some("type"), ResourceType::Group, None) => "substr(x.id, 1, 0) || 'group'",
        (Some("display"), ResourceType::Group, _) => "x.display_name_key",
        _ => "x.id",
    };
    compare_column(Column::Text(column), op, key)
}
