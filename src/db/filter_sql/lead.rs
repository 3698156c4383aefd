//! Which index a list with a condition begins at, as far as the condition's form tells.
//!
//! Neither database can know: a company may be one row or a million, a value one user's or all.

use crate::db::statement::Statement;
use crate::scim::filter::{CompareOp, Condition};
use crate::scim::leaves::Home;
use crate::scim::schema::{AttributePath, ResourceType};

use super::compare::{Column, compare_column, is_narrow};
use super::{FilterSql, Scope};

/// How a list with a condition is best begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// At the index of this name, of a column.
    Column(&'static str),
    /// At the few rows that another index names.
    Set,
    /// At the company's resources in their order.
    Order,
}

impl FilterSql<'_> {
    /// Which index narrows most.
    pub fn lead(&self, condition: &Condition) -> Lead {
        match condition {
            Condition::Compare { path, op, key } => match self.column(path) {
                Some(column) => self.lead_of(column, op, key).map_or(Lead::Order, Lead::Column),
                None if is_narrow(op, key) && self.is_set(path) => Lead::Set,
                None => Lead::Order,
            },
            Condition::Element { path, condition }
                if self.relation(path).is_some() || self.leading(condition).is_some() =>
            {
                Lead::Set
            }
            // An equality leaves fewer than a beginning or a range does.
            Condition::And(items) => {
                let exact = |item: &&Condition| !matches!(item, Condition::Compare { op, .. } if *op != CompareOp::Eq);
                let (first, then): (Vec<_>, Vec<_>) = items.iter().partition(exact);
                let leads = first.into_iter().chain(then).map(|item| self.lead(item));
                leads.min_by_key(|lead| *lead == Lead::Order).unwrap_or(Lead::Order)
            }
            Condition::Or(_) if self.found(condition).is_some() => Lead::Set,
            Condition::Element { .. }
            | Condition::Present(_)
            | Condition::Not(_)
            | Condition::Or(_) => Lead::Order,
        }
    }

    /// The storage keys of the resources that satisfy the condition, as a SELECT that indexes answer;
    /// `None` where they do not.
    pub(super) fn found(&self, condition: &Condition) -> Option<Statement> {
        let table = match self.schema.resource_type {
            ResourceType::User => "SELECT r.seq FROM users r WHERE ",
            ResourceType::Group => "SELECT r.seq FROM groups r WHERE ",
        };
        // All of it is asked of the few that a part of it leaves.
        let rest_of = |few: Statement| {
            let mut out = Statement::new(table);
            out.sql(self.dialect.aside()).sql("r.company_seq = ").int(self.company.0);
            out.sql(" AND ").append(self.among(few)).sql(" AND ");
            out.append(self.boolean(condition, Scope::Few)).sql(self.dialect.time_guard("r.seq"));
            out
        };
        match condition {
            Condition::Compare { path, op, key } => match self.column(path) {
                Some(column) => {
                    self.lead_of(column, op, key)?;
                    let mut out = Statement::new(table);
                    out.sql("r.company_seq = ").int(self.company.0).sql(" AND ");
                    out.append(compare_column(column, op, key));
                    out.sql(self.dialect.time_guard("r.seq"));
                    Some(out)
                }
                None if !is_narrow(op, key) => None,
                None => match self.relation(path) {
                    Some(kind) => Some(alone(self.related(kind, condition))),
                    None if self.is_set(path) => Some(self.with_value(path, op, key)),
                    None => None,
                },
            },
            Condition::Element { path, condition: inner } => match self.relation(path) {
                Some(kind) => Some(alone(self.related(kind, inner))),
                None => {
                    let (lead, key) = self.leading(inner)?;
                    Some(rest_of(self.with_value(lead, &CompareOp::Eq, key)))
                }
            },
            Condition::And(items) => items.iter().find_map(|item| self.found(item)).map(rest_of),
            Condition::Or(items) => {
                let mut sets = items.iter().map(|item| self.found(item));
                let mut out = sets.next()??;
                for set in sets {
                    out.sql(" UNION ALL ").append(set?);
                }
                Some(out)
            }
            Condition::Present(_) | Condition::Not(_) => None,
        }
    }

    /// An equality that the index answers, and that the whole condition implies.
    pub(super) fn leading<'c>(
        &self,
        condition: &'c Condition,
    ) -> Option<(&'c AttributePath, &'c str)> {
        let items = match condition {
            Condition::And(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        };
        items.iter().find_map(|item| match item {
            Condition::Compare { path, op: CompareOp::Eq, key } => {
                (self.home(path) == Home::Index).then_some((path, key.as_str()))
            }
            _ => None,
        })
    }

    /// Whether the resources with a value at this path are found without looking at them.
    fn is_set(&self, path: &AttributePath) -> bool {
        self.relation(path).is_some() || self.home(path) == Home::Index
    }

    /// The index of a column that narrows, where the comparison does: most users are active.
    fn lead_of(&self, column: Column, op: &CompareOp, key: &str) -> Option<&'static str> {
        let narrow = match column {
            Column::Text(_) => is_narrow(op, key),
            Column::Flag(_) => key == "false",
            Column::Time(_) => true,
        };
        self.index(column).filter(|_| narrow).map(|(index, _)| index)
    }

    /// The index of a column in the order of its values, and whether a row may lack the value.
    pub fn index(&self, column: Column) -> Option<(&'static str, bool)> {
        let users = self.schema.resource_type == ResourceType::User;
        let (of_users, of_groups, may_be_missing) = match column.name() {
            "r.id" => ("users_by_id", "groups_by_id", false),
            "r.external_id" => ("users_by_external_id", "groups_by_external_id", true),
            "r.display_name_key" => ("users_by_display_name", "groups_by_display_name", users),
            "r.user_name_key" if users => ("users_by_user_name", "", false),
            "r.active" if users => ("users_by_active", "", false),
            "r.created_at" => ("users_by_created", "groups_by_created", false),
            "r.last_modified" => ("users_by_last_modified", "groups_by_last_modified", false),
            _ => return None,
        };
        Some((if users { of_users } else { of_groups }, may_be_missing))
    }
}

/// A SELECT that may stand in a UNION, whatever it begins with.
fn alone(set: Statement) -> Statement {
    let mut out = Statement::new("SELECT * FROM (");
    out.append(set).sql(") q");
    out
}
