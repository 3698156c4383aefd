//! What is measured: the operations, by the names that they have in the report.

use std::fmt;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// The bare handler's answer.
    Bare,
    /// The bare handler that stores one row of the table of users before it answers.
    BareInsert,
    /// The bare handler that selects one document by the index of ids before it answers.
    BareSelect,
    /// PostgreSQL's answer to one indexed select, without HTTP.
    DriverSelect,
    /// PostgreSQL's commit of one row of a table like that of users, without HTTP.
    DriverInsert,
    /// `GET /Users/{id}`.
    Get,
    /// `GET /Users?filter=userName eq "…"`.
    Filter,
    /// `GET /Users?startIndex=1&count=100`.
    List,
    /// `GET /Users?cursor&count=100`.
    FirstPage,
    /// `GET /Users?cursor=…&count=100` at 99 % of the depth.
    DeepPage,
    /// `POST /Users`.
    Create,
    /// `PATCH /Users/{id}` of `active`.
    Active,
    /// `PATCH /Groups/{id}`: one member into a group of this size, the same for all clients.
    Member(usize),
    /// The same, each client into a group of its own.
    MemberApart,
    /// Of ten requests four get, two filter, one lists, one creates, two patch.
    Mix,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare => f.write_str("bare handler"),
            Self::BareInsert => f.write_str("bare row of a user"),
            Self::BareSelect => f.write_str("bare select of a user"),
            Self::DriverSelect => f.write_str("bare select, no HTTP"),
            Self::DriverInsert => f.write_str("bare insert, no HTTP"),
            Self::Get => f.write_str("get by id"),
            Self::Filter => f.write_str("filter by userName"),
            Self::List => f.write_str("list of 100"),
            Self::FirstPage => f.write_str("cursor page of 100, first"),
            Self::DeepPage => f.write_str("cursor page of 100, at 99 %"),
            Self::Create => f.write_str("create"),
            Self::Active => f.write_str("patch active"),
            Self::Member(size) => write!(f, "add member to {size}"),
            Self::MemberApart => f.write_str("add member, groups apart"),
            Self::Mix => f.write_str("reads and writes mixed"),
        }
    }
}

impl Operation {
    /// Whether it is a yardstick, which knows no directory.
    pub fn is_bare(self) -> bool {
        use Operation::{Bare, BareInsert, BareSelect, DriverInsert, DriverSelect};
        matches!(self, Bare | BareInsert | BareSelect | DriverSelect | DriverInsert)
    }
}
