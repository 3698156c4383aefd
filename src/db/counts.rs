//! How many resources a company has, counted at each write so that no list counts a million rows.
//!
//! Counted by slots of storage keys: the sum is the total, and the sums up to a slot tell in which
//! one the n-th resource lies, so that a page far down costs what the first one costs.

use std::collections::BTreeMap;

use diesel::QueryResult;
use diesel::sql_types::BigInt;

use crate::domain::id::CompanySeq;
use crate::scim::ResourceType;

use super::DbConn;
use super::dialect::Dialect;
use super::statement::Statement;
use super::values::type_code;

/// Storage keys in one slot, as a power of two: about the root of a million, so that there are as
/// many slots to sum up as rows to step over in the last one.
const SLOT_BITS: u32 = 11;

/// What makes a count of one that is there.
const TOGETHER: &str = " ON CONFLICT (company_seq, resource_type, slot, lane) \
     DO UPDATE SET total = resource_counts.total + excluded.total";

/// Counts resources of one slot in (+) or out (-); `seq` is that of any of them.
///
/// # Errors
/// The database's.
pub fn add(
    conn: &mut DbConn,
    company: CompanySeq,
    (kind, seq): (ResourceType, i64),
    by: i64,
) -> QueryResult<()> {
    struct Add;
    let mut statement = Statement::new(
        "INSERT INTO resource_counts (company_seq, resource_type, slot, lane, total) VALUES (",
    );
    statement.int(company.0).sql(", ").int(type_code(kind)).sql(", ").int(seq >> SLOT_BITS);
    statement.sql(", ").sql(Dialect::of(conn).lane()).sql(", ").int(by);
    statement.sql(")").sql(TOGETHER);
    statement.known::<Add, BigInt>().execute(conn).map(drop)
}

/// Counts in what the part `made` of the same statement stores: the rest of that part, as SQL.
pub(super) fn count_made(dialect: Dialect, company: CompanySeq, kind: ResourceType) -> Statement {
    let mut statement = Statement::new(
        "INSERT INTO resource_counts (company_seq, resource_type, slot, lane, total) SELECT ",
    );
    statement.int(company.0).sql(", ").int(type_code(kind));
    statement.sql(format!(", made.seq >> {SLOT_BITS}, {}, 1 FROM made", dialect.lane()));
    statement.sql(TOGETHER);
    statement
}

/// The same for many, of any companies; `made` has `company_seq` too.
pub(super) fn count_all_made(dialect: Dialect, kind: ResourceType) -> Statement {
    let mut statement = Statement::new(
        "INSERT INTO resource_counts (company_seq, resource_type, slot, lane, total) \
         SELECT made.company_seq, ",
    );
    statement.int(type_code(kind)).sql(format!(
        ", made.seq >> {SLOT_BITS}, {}, count(*) FROM made GROUP BY 1, 3",
        dialect.lane()
    ));
    statement.sql(TOGETHER);
    statement
}

/// Brings the lanes of each slot together, but for those that are being counted in; does so once,
/// however many do it at once. The sums stay what they are.
///
/// # Errors
/// The database's.
pub fn fold(conn: &mut DbConn) -> QueryResult<()> {
    if !Dialect::of(conn).locks_rows() {
        return Ok(());
    }
    let mut statement = Statement::new(
        "WITH still AS (SELECT company_seq, resource_type, slot, lane FROM resource_counts \
         WHERE lane <> 0 FOR UPDATE SKIP LOCKED), \
         gone AS (DELETE FROM resource_counts c USING still s \
         WHERE c.company_seq = s.company_seq AND c.resource_type = s.resource_type \
         AND c.slot = s.slot AND c.lane = s.lane \
         RETURNING c.company_seq, c.resource_type, c.slot, c.total) \
         INSERT INTO resource_counts (company_seq, resource_type, slot, lane, total) \
         SELECT company_seq, resource_type, slot, 0, sum(total) FROM gone \
         GROUP BY company_seq, resource_type, slot",
    );
    statement.sql(TOGETHER);
    statement.run(conn).map(drop)
}

/// Counts many resources in: one statement a slot.
///
/// # Errors
/// The database's.
pub fn add_all(
    conn: &mut DbConn,
    company: CompanySeq,
    kind: ResourceType,
    seqs: &[i64],
) -> QueryResult<()> {
    let mut slots: BTreeMap<i64, i64> = BTreeMap::new();
    for seq in seqs {
        *slots.entry(seq >> SLOT_BITS).or_default() += 1;
    }
    for (slot, by) in slots {
        add(conn, company, (kind, slot << SLOT_BITS), by)?;
    }
    Ok(())
}

/// How many there are.
///
/// # Errors
/// The database's.
pub fn total(conn: &mut DbConn, company: CompanySeq, kind: ResourceType) -> QueryResult<i64> {
    struct Total;
    let mut statement = Statement::new(
        "SELECT CAST(coalesce(sum(total), 0) AS BIGINT) FROM resource_counts WHERE company_seq = ",
    );
    statement.int(company.0).sql(" AND resource_type = ").int(type_code(kind));
    statement.known::<Total, BigInt>().get_result(conn)
}

/// A place in the order of storage keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The resources from this storage key on,
    pub from: i64,
    /// but for so many of them.
    pub skip: i64,
}

/// Where the resources behind the first `offset` ones begin; `None` where there are no more.
///
/// # Errors
/// The database's.
pub fn locate(
    conn: &mut DbConn,
    company: CompanySeq,
    kind: ResourceType,
    offset: i64,
) -> QueryResult<Option<Place>> {
    struct Locate;
    let mut statement = Statement::new(
        "SELECT slot, CAST(sum(total) AS BIGINT) FROM resource_counts WHERE company_seq = ",
    );
    statement.int(company.0).sql(" AND resource_type = ").int(type_code(kind));
    statement.sql(" GROUP BY slot ORDER BY slot");
    let slots: Vec<(i64, i64)> = statement.known::<Locate, (BigInt, BigInt)>().load(conn)?;
    let mut skip = offset;
    for (slot, total) in slots {
        if skip < total {
            return Ok(Some(Place { from: slot << SLOT_BITS, skip }));
        }
        skip -= total;
    }
    Ok(None)
}
