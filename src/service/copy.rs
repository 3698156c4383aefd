//! An installation from one database into another: every row, every id, every storage key.
//!
//! The source is read at one moment and never written. Everything comes into the target in one
//! transaction, is read back there and compared before it is committed: a copy that is cut short, or
//! that is not the same, leaves the target as empty as it was.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

use crate::db::copy::{Row, TABLES, Table};
use crate::db::{self, DatabaseUrl, DbConn, Purpose, installation};

use super::{KeySource, Keys};

/// A copy on its way.
pub struct Copy {
    from: DbConn,
    to: DbConn,
    key: Option<KeyFile>,
    phase: Phase,
    table: usize,
    after: Option<Row>,
    sums: [Sum; TABLES.len()],
    check: Sum,
    done: u64,
    rows: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Writing,
    Reading,
    Over,
}

/// The key that lies beside the source, and where it will lie beside the target.
struct KeyFile {
    text: String,
    from: PathBuf,
    to: Option<PathBuf>,
}

/// How far a copy has come: every row is written, and read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows done.
    pub done: u64,
    /// Of how many.
    pub total: u64,
}

/// What was copied.
#[derive(Debug)]
pub struct Copied {
    /// How many rows, and in how many tables.
    pub rows: (u64, usize),
    /// Where the key was put beside the target.
    pub key_to: Option<PathBuf>,
    /// Where the key lies that the target is to be started with.
    pub key_from: Option<PathBuf>,
}

/// Count and check value of a table, whatever the order of its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    digests: [u64; 4],
}

impl Sum {
    fn add(&mut self, Row(values): &Row) {
        let mut context = digest::Context::new(&digest::SHA256);
        for value in values {
            // The length in front tells a value from its neighbours, and an absent one from an empty.
            let length = value.as_ref().map_or(u64::MAX, |v| v.len() as u64);
            context.update(&length.to_be_bytes());
            context.update(value.as_deref().unwrap_or_default().as_bytes());
        }
        self.rows += 1;
        let digest = context.finish();
        for (sum, bytes) in self.digests.iter_mut().zip(digest.as_ref().as_chunks::<8>().0) {
            *sum = sum.wrapping_add(u64::from_be_bytes(*bytes));
        }
    }
}

impl Copy {
    /// Opens both, brings the target up to date, and checks that there is something to be copied,
    /// with its key, and room for it.
    ///
    /// # Errors
    /// One line that names `from` or `to`.
    pub fn begin(from: &str, to: &str, key: &KeySource) -> Result<Self, String> {
        let of = |name: &str| {
            let name = name.to_owned();
            move |e: &dyn std::fmt::Display| format!("{name}: {e}")
        };
        let (from_error, to_error) = (of("from"), of("to"));
        let from_url: DatabaseUrl = from.parse().map_err(|e: String| from_error(&e))?;
        let to_url: DatabaseUrl = to.parse().map_err(|e: String| to_error(&e))?;
        if from_url == to_url {
            return Err("to: it is the database that is to be copied".to_owned());
        }
        if !from_url.is_there() {
            return Err(from_error(&"there is no such database"));
        }
        let mut from = db::open(&from_url, Purpose::Read).map_err(|e| from_error(&e))?;
        let pending =
            db::lacking(&mut from).map_err(|_| from_error(&"it is no database of stagedoor"))?;
        if !pending.is_empty() {
            let why = "it lacks migrations; bring it up to date first with: stagedoor migrate";
            return Err(from_error(&why));
        }
        db::begin_snapshot(&mut from).map_err(|e| from_error(&e))?;
        let key = key_of(&mut from, (&from_url, &to_url), key)?;
        let mut rows = 0;
        for table in &TABLES {
            rows += table.count(&mut from).map_err(|e| from_error(&e))?;
        }
        let mut to = db::open(&to_url, Purpose::Write).map_err(|e| to_error(&e))?;
        db::migrate(&mut to).map_err(|e| to_error(&e))?;
        db::begin(&mut to).map_err(|e| to_error(&e))?;
        make_room(&mut to).map_err(|e| to_error(&e))?;
        let rows = rows.try_into().unwrap_or_default();
        let (sums, check) = (std::array::from_fn(|_| Sum::default()), Sum::default());
        let (phase, after) = (Phase::Writing, None);
        Ok(Self { from, to, key, phase, table: 0, after, sums, check, done: 0, rows })
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        Progress { done: self.done, total: self.rows * 2 }
    }

    /// Does the next part; `Some` when everything is in the target, compared and committed.
    ///
    /// # Errors
    /// One line; nothing is in the target then.
    pub fn step(&mut self) -> Result<Option<Copied>, String> {
        match (TABLES.get(self.table), self.phase) {
            (Some(table), Phase::Writing) => self.write(table).map(|()| None),
            (None, Phase::Writing) => {
                (self.phase, self.table) = (Phase::Reading, 0);
                Ok(None)
            }
            (Some(table), Phase::Reading) => self.read(table).map(|()| None),
            (None, Phase::Reading) => self.finish().map(Some),
            (_, Phase::Over) => Err("the copy is over".to_owned()),
        }
    }

    fn write(&mut self, table: &Table) -> Result<(), String> {
        let page = table.page(&mut self.from, self.after.as_ref());
        let page = page.map_err(|e| format!("from: {}: {e}", table.name))?;
        let to = |e: db::DbError| format!("to: {}: {e}", table.name);
        table.insert(&mut self.to, &page).map_err(to)?;
        if let Some(sum) = self.sums.get_mut(self.table) {
            page.iter().for_each(|row| sum.add(row));
        }
        self.done += page.len() as u64;
        self.after = page.into_iter().next_back();
        if self.after.is_none() {
            table.number_on(&mut self.from, &mut self.to).map_err(to)?;
            self.table += 1;
        }
        Ok(())
    }

    fn read(&mut self, table: &Table) -> Result<(), String> {
        let page = table.page(&mut self.to, self.after.as_ref());
        let page = page.map_err(|e| format!("to: {}: {e}", table.name))?;
        page.iter().for_each(|row| self.check.add(row));
        self.done += page.len() as u64;
        self.after = page.into_iter().next_back();
        if self.after.is_none() {
            if self.sums.get(self.table) != Some(&self.check) {
                return Err(format!("to: {}: not what was written; nothing is kept", table.name));
            }
            self.check = Sum::default();
            self.table += 1;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Copied, String> {
        self.phase = Phase::Over;
        let (mut key_to, mut key_from) = (None, None);
        if let Some(key) = self.key.take() {
            match key.to {
                // First the key: a database without it opens to nobody.
                Some(path) => {
                    write_key(&path, &key.text)?;
                    key_to = Some(path);
                }
                None => key_from = Some(key.from),
            }
        }
        db::commit(&mut self.to).map_err(|e| format!("to: {e}"))?;
        let rows = self.sums.iter().map(|sum| sum.rows).sum();
        Ok(Copied { rows: (rows, TABLES.len()), key_to, key_from })
    }
}

/// Checks that nobody's data is in the target, and forgets whose it was meant to be.
fn make_room(to: &mut DbConn) -> Result<(), String> {
    for table in &TABLES {
        if ["installation", "sealing_keys"].contains(&table.name) {
            table.clear(to).map_err(|e| e.to_string())?;
        } else if !table.is_empty(to).map_err(|e| e.to_string())? {
            return Err("it is not empty; a copy needs a new database".to_owned());
        }
    }
    Ok(())
}

/// The key beside the source, held against the source; `None` where the operator gives the key, and
/// goes on giving it.
fn key_of(
    from: &mut DbConn,
    (from_url, to_url): (&DatabaseUrl, &DatabaseUrl),
    key: &KeySource,
) -> Result<Option<KeyFile>, String> {
    let known = installation::find(from, "key").map_err(|e| format!("from: {e}"))?;
    let (text, file) = match (key, from_url.key_file()) {
        (KeySource::Text(text), _) => (text.clone(), None),
        (KeySource::File(path), _) => (read(path)?, None),
        (KeySource::BesideDatabase, Some(path)) => (read(&path)?, Some(path)),
        // Nothing is known of the key here: it is the operator's to give to both.
        (KeySource::BesideDatabase, None) => return Ok(None),
    };
    let parsed = Keys::parse(&text).map_err(|e| format!("secret-key: it {e}"))?;
    if known.as_deref() != Some(Keys::new(&parsed).fingerprint().as_str()) {
        return Err("secret-key: not the key that the database was made with".to_owned());
    }
    let Some(from) = file else { return Ok(None) };
    let to = to_url.key_file();
    if let Some(path) = to.as_ref().filter(|path| path.exists())
        && read(path)?.trim() != text.trim()
    {
        let path = path.display();
        return Err(format!("to: {path} is the key of another installation; move it away first"));
    }
    Ok(Some(KeyFile { text, from, to }))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("secret-key-file: {}: {e}", path.display()))
}

/// Writes the key where it is not there already; readable by its owner alone.
fn write_key(path: &Path, text: &str) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("secret-key-file: {}: {e}", path.display());
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(wrong)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(wrong(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[&[Option<&str>]]) -> Sum {
        let mut sum = Sum::default();
        for row in rows {
            sum.add(&Row(row.iter().map(|v| v.map(str::to_owned)).collect()));
        }
        sum
    }

    #[test]
    fn a_sum_tells_rows_apart_but_not_their_order() {
        let (a, b): (&[_], &[_]) = (&[Some("a"), None], &[Some("b"), Some("c")]);
        assert_eq!(sum(&[a, b]), sum(&[b, a]));
        let others: [&[&[Option<&str>]]; 5] = [
            &[a],
            &[a, a],
            &[&[Some("a"), Some("")], b],
            &[a, &[Some("bc"), Some("")]],
            &[&[None, Some("a")], b],
        ];
        for other in others {
            assert_ne!(sum(&[a, b]), sum(other), "{other:?}");
        }
    }
}
