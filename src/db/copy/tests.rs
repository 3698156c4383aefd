use super::*;
use crate::db::{DatabaseUrl, Purpose, migrate, open};

/// A new table or column must be copied, too: the list is the one that the migrations make. But for
/// `shown_groups`, which triggers fill on the other side: its numbers belong to one database.
#[test]
fn every_table_and_column_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(directory.path().join("a.db"));
    let mut conn = open(&url, Purpose::Write).unwrap();
    migrate(&mut conn).unwrap();
    let columns = Statement::new(
        "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite~_%' ESCAPE '~' \
         AND m.name NOT LIKE '~_~_%' ESCAPE '~' AND m.name <> 'shown_groups' ORDER BY 1",
    );
    let there: Vec<String> = columns.rows::<Text>().load(&mut conn).unwrap();
    let mut known: Vec<String> = TABLES
        .iter()
        .flat_map(|t| t.columns.iter().map(|(column, _)| format!("{}.{column}", t.name)))
        .collect();
    known.sort();
    assert_eq!(there, known);
    let keys = Statement::new(
        "SELECT m.name || ' ' || group_concat(c.name, ',' ORDER BY c.pk) \
         FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.pk > 0 \
         AND m.name NOT LIKE '~_~_%' ESCAPE '~' AND m.name <> 'shown_groups' GROUP BY m.name ORDER BY 1",
    );
    let there: Vec<String> = keys.rows::<Text>().load(&mut conn).unwrap();
    let mut known: Vec<String> = TABLES
        .iter()
        .map(|t| {
            let key: Vec<&str> = t.columns[..t.key].iter().map(|(name, _)| *name).collect();
            format!("{} {}", t.name, key.join(","))
        })
        .collect();
    known.sort();
    assert_eq!(there, known);
}

#[test]
fn bytes_are_read_back_from_their_text() {
    assert_eq!(unhex("00ff7f"), Some(vec![0, 255, 127]));
    assert_eq!(unhex(""), Some(vec![]));
    for bad in ["0", "0g", "00f"] {
        assert_eq!(unhex(bad), None, "{bad}");
    }
}
