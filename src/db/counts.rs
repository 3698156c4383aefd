//! How many resources a company has, counted at each write so that no list counts a million rows.
//!
//! Counted by slots of storage keys: the sums up to a slot tell in which one the n-th resource lies, so that a
//! page far down costs what the first one costs. Writers count in lanes of their own; what rests there is
//! brought together now and then, into the slots of one lane and into one sum of them all: from then on the total
//! of a large company is read from as few rows as that of a small one.

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

/// The lane, with one slot, of the sum of all that rests in [`SETTLED`].
const SUM: i64 = 0;
/// The lane behind those that writers count in ([`Dialect::lane`]), with what was brought together.
const SETTLED: i64 = 33;

/// The columns of a count, from the key on.
const INSERT: &str = "INSERT INTO resource_counts (company_seq, resource_type, lane, slot, total) ";
/// What makes a count of one that is there.
const TOGETHER: &str = " ON CONFLICT (company_seq, resource_type, lane, slot) \
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
    let mut statement = Statement::new(INSERT);
    statement.sql("VALUES (").int(company.0).sql(", ").int(type_code(kind));
    statement.sql(", ").sql(Dialect::of(conn).lane()).sql(", ").int(seq >> SLOT_BITS);
    statement.sql(", ").int(by);
    statement.sql(")").sql(TOGETHER);
    statement.known::<Add, BigInt>().execute(conn).map(drop)
}

/// Counts in what the part `made` of the same statement stores: the rest of that part, as SQL.
pub(super) fn count_made(dialect: Dialect, company: CompanySeq, kind: ResourceType) -> Statement {
    let mut statement = Statement::new(INSERT);
    statement.sql("SELECT ").int(company.0).sql(", ").int(type_code(kind));
    statement.sql(format!(", {}, made.seq >> {SLOT_BITS}, 1 FROM made", dialect.lane()));
    statement.sql(TOGETHER);
    statement
}

/// The same for many, of any companies; `made` has `company_seq` too.
pub(super) fn count_all_made(dialect: Dialect, kind: ResourceType) -> Statement {
    let mut statement = Statement::new(INSERT);
    statement.sql("SELECT made.company_seq, ").int(type_code(kind)).sql(format!(
        ", {}, made.seq >> {SLOT_BITS}, count(*) FROM made GROUP BY 1, 4",
        dialect.lane()
    ));
    statement.sql(TOGETHER);
    statement
}

/// Brings together what writers have counted in their lanes, but for rows that are being counted in; does so
/// once, however many do it at once. The counts stay what they are.
///
/// # Errors
/// The database's.
pub fn fold(conn: &mut DbConn) -> QueryResult<()> {
    let lanes = format!("lane > {SUM} AND lane < {SETTLED}");
    let settle = |from: &str| {
        // In one order, so that two that do it at once wait for each other and no more.
        format!(
            "{INSERT}SELECT company_seq, resource_type, {SETTLED}, slot, sum(total) FROM {from} GROUP BY 1, 2, 4 \
             UNION ALL SELECT company_seq, resource_type, {SUM}, 0, sum(total) FROM {from} GROUP BY 1, 2 \
             ORDER BY 1, 2, 3, 4{TOGETHER}"
        )
    };
    let dialect = Dialect::of(conn);
    let mut statement = Statement::default();
    if dialect.writes_within() {
        statement.sql(format!(
            "WITH still AS (SELECT company_seq, resource_type, lane, slot FROM resource_counts WHERE {lanes}{}), \
             gone AS (DELETE FROM resource_counts c USING still s \
             WHERE c.company_seq = s.company_seq AND c.resource_type = s.resource_type \
             AND c.lane = s.lane AND c.slot = s.slot \
             RETURNING c.company_seq, c.resource_type, c.slot, c.total) ",
            dialect.skip_locked()
        ));
        statement.sql(settle("gone"));
        return statement.run(conn).map(drop);
    }
    statement.sql(settle(&format!("resource_counts WHERE {lanes}")));
    statement.run(conn)?;
    let mut statement = Statement::new("DELETE FROM resource_counts WHERE ");
    statement.sql(lanes);
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
    statement.sql(format!(" AND lane < {SETTLED}"));
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
    let mut statement =
        Statement::new("SELECT slot, total FROM resource_counts WHERE company_seq = ");
    statement.int(company.0).sql(" AND resource_type = ").int(type_code(kind));
    statement.sql(format!(" AND lane > {SUM}"));
    let mut counts: Vec<(i64, i64)> = statement.known::<Locate, (BigInt, BigInt)>().load(conn)?;
    // Sorted here: the index has them by lane, nearly all in one, and thus nearly in this order.
    counts.sort_unstable();
    let mut skip = offset;
    for slot in counts.chunk_by(|one, next| one.0 == next.0) {
        let total = slot.iter().map(|count| count.1).sum();
        if skip < total {
            return Ok(slot.first().map(|count| Place { from: count.0 << SLOT_BITS, skip }));
        }
        skip -= total;
    }
    Ok(None)
}
