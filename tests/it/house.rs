//! The house rules that no compiler holds: who imports whom, where nothing waits, who reads
//! settings, and that every invariant of ARCHITECTURE.md has its test. Reads files, starts nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which floors a floor may import from. `server` sees all of them, `lib` and `main` stand outside.
/// ARCHITECTURE.md shows the same table; [`the_table_of_floors_is_the_one_shown`] keeps them alike.
const FLOORS: [(&str, &[&str]); 12] = [
    ("scim", &[]),
    ("domain", &["scim"]),
    ("sso", &["domain"]),
    ("clock", &[]),
    ("config", &[]),
    ("db", &["scim", "domain"]),
    ("egress", &[]),
    ("service", &["scim", "domain", "sso", "db", "egress", "clock"]),
    ("http", &["scim", "domain", "sso", "service"]),
    ("cli", &["scim", "domain", "service", "config"]),
    ("worker", &["service"]),
    (
        "server",
        &["scim", "domain", "clock", "config", "db", "egress", "service", "http", "cli", "worker"],
    ),
];

/// Crates that a pure floor must not know: the world, and who else is in it.
const IMPURE: [&str; 9] =
    ["actix_web", "tokio", "diesel", "tracing", "uuid", "moka", "aws_lc_rs", "std::net", "std::fs"];

/// Longest file of `src`, its tests left out, in lines.
const LONGEST: usize = 500;

/// One file of `src` or `tests`.
pub struct Source {
    /// The path below the project, with forward slashes.
    path: String,
    /// The text, with comments and the contents of string literals blanked out.
    pub code: String,
    /// The text as it stands.
    text: String,
}

/// The folder of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the project.
pub fn sources(folder: &str) -> Vec<Source> {
    let mut open = vec![root().join(folder)];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let sources: Vec<Source> = files
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            Source { path, code: code_of(&text), text }
        })
        .collect();
    assert!(sources.len() > 10, "{folder} is read");
    sources
}

impl Source {
    /// Its modules from the crate's root, the floor first: `src/scim/patch/edit.rs` is
    /// `["scim", "patch", "edit"]`.
    pub fn modules(&self) -> Vec<&str> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let inside = inside.strip_suffix(".rs").unwrap_or(inside);
        inside.split('/').filter(|part| *part != "mod").collect()
    }

    /// The text as it stands.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn floor(&self) -> &str {
        self.modules().first().copied().unwrap_or_default()
    }

    /// The code in front of the unit tests that lie in the same file.
    fn product(&self) -> &str {
        self.code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    }

    /// Whether the whole file is tests.
    fn is_test(&self) -> bool {
        self.modules().iter().any(|part| matches!(*part, "tests" | "properties"))
    }
}

/// The text without comments and without what stands in string and character literals, so that a
/// word in them is not taken for code. Line breaks stay.
fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let end = if rest.starts_with("//") {
            at + rest.find('\n').unwrap_or(rest.len())
        } else if let Some(hashes) = raw_string(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let begin = hashes + 2;
            at + begin + rest[begin..].find(&close).map_or(rest.len() - begin, |i| i + close.len())
        } else if rest.starts_with('"') {
            at + quoted(rest, b'"')
        } else if rest.starts_with('\'') && is_char(rest) {
            at + quoted(rest, b'\'')
        } else {
            let next = rest.chars().next().unwrap();
            out.push(next);
            at += next.len_utf8();
            continue;
        };
        out.extend(text[at..end].matches('\n'));
        at = end;
    }
    out
}

/// How many hashes open the raw string that begins here.
fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest.strip_prefix('r')?;
    let inner = hashes.trim_start_matches('#');
    inner.starts_with('"').then_some(hashes.len() - inner.len())
}

/// Whether a character literal begins here, not a lifetime.
fn is_char(rest: &str) -> bool {
    let mut inside = rest.chars().skip(1);
    match inside.next() {
        Some('\\') => true,
        Some(_) => inside.next() == Some('\''),
        None => false,
    }
}

/// The length of the literal that begins here, with its quotes.
fn quoted(rest: &str, quote: u8) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// The path behind each occurrence of `start` in the code, as its segments; a braced list gives
/// a path for each of its entries (`crate::{db, scim::list}`).
fn paths_after<'c>(code: &'c str, start: &str) -> Vec<Vec<&'c str>> {
    let mut out = Vec::new();
    for (at, _) in code.match_indices(start) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
            continue;
        }
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(list) => out.extend(entries(list).into_iter().map(segments)),
            None => out.push(segments(rest)),
        }
    }
    out
}

/// The entries of a braced list, whose opening brace is taken off.
fn entries(list: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut out) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                out.push(list[begin..at].trim());
                begin = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    out.retain(|entry| !entry.is_empty());
    out
}

fn segments(path: &str) -> Vec<&str> {
    let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    path[..end.unwrap_or(path.len())].split("::").filter(|s| !s.is_empty()).collect()
}

/// The floors that a file names, by `crate::` or by climbing up with `super::`.
fn imports(source: &Source) -> BTreeSet<String> {
    let own = source.floor();
    let mut out: BTreeSet<String> = paths_after(&source.code, "crate::")
        .iter()
        .filter_map(|path| path.first().map(|floor| (*floor).to_owned()))
        .collect();
    // One `super` for each module that the file lies in; inside `mod tests` one more.
    let product = source.product();
    for (code, depth) in [
        (product, source.modules().len()),
        (&source.code[product.len()..], source.modules().len() + 1),
    ] {
        for path in paths_after(code, "super::") {
            let climbs = 1 + path.iter().take_while(|part| **part == "super").count();
            if climbs >= depth {
                out.insert(path.get(climbs - 1).copied().unwrap_or("crate").to_owned());
            }
        }
    }
    out.retain(|floor| floor != own);
    out.into_iter().filter(|name| FLOORS.iter().any(|(floor, _)| floor == name)).collect()
}

/// I1: imports point down the floors.
#[test]
fn imports_point_downwards() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        if matches!(source.floor(), "lib" | "main") {
            continue;
        }
        let allowed = FLOORS.iter().find(|(floor, _)| *floor == source.floor());
        let Some((_, allowed)) = allowed else {
            wrong.push(format!("{}: a floor that the table does not know", source.path));
            continue;
        };
        for floor in imports(&source) {
            if !allowed.contains(&floor.as_str()) {
                wrong.push(format!("{}: imports {floor}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Floors 1 and 2 are functions from data to data: no socket, no file, no database, no log line.
#[test]
fn the_lower_floors_are_pure() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        if !matches!(source.floor(), "scim" | "domain") || source.is_test() {
            continue;
        }
        for name in IMPURE {
            if !paths_after(source.product(), &format!("{name}::")).is_empty() {
                wrong.push(format!("{}: uses {name}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// I1: the table that the tests hold is the one that readers see.
#[test]
fn the_table_of_floors_is_the_one_shown() {
    let shown = architecture();
    for (floor, allowed) in FLOORS {
        let row = shown.lines().find(|line| line.starts_with(&format!("| `{floor}` |")));
        let row = row.unwrap_or_else(|| panic!("no row for {floor}"));
        let cell = row.split('|').nth(2).unwrap();
        let named: BTreeSet<&str> = cell.split('`').skip(1).step_by(2).collect();
        let wanted: BTreeSet<&str> = allowed.iter().copied().collect();
        assert_eq!(named, wanted, "{floor}");
    }
}

/// The body of the function that begins at `at`, its signature before it.
fn function(code: &str, at: usize) -> (&str, &str) {
    let rest = &code[at..];
    let begin = rest.find('{').unwrap_or(rest.len());
    let mut depth = 0;
    for (i, c) in rest[begin..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&rest[..begin], &rest[begin..=begin + i]);
        }
    }
    (&rest[..begin], &rest[begin..])
}

/// I5: a unit of work awaits nothing, so no transaction is open while the network is waited for.
#[test]
fn units_of_work_do_not_await() {
    // The writer and the pool hand units to threads; the database passes them on. None is in a unit.
    let outside = ["writer.rs", "pool.rs", "pool/together.rs", "threads.rs", "database.rs"];
    let mut wrong = Vec::new();
    let mut units = 0;
    for source in sources("src") {
        let code = source.product();
        if source.floor() == "db"
            && !outside.iter().any(|file| source.path == format!("src/db/{file}"))
        {
            for word in [".await", "async ", "block_on"] {
                if code.contains(word) {
                    wrong.push(format!("{}: {word}", source.path));
                }
            }
        }
        if source.floor() != "service" {
            continue;
        }
        for (at, _) in code.match_indices("fn ") {
            let (signature, body) = function(code, at);
            if !(signature.contains(": &mut Cx<") || signature.contains("conn: &mut DbConn")) {
                continue;
            }
            units += 1;
            let marked = code[..at].ends_with("async ");
            if marked || [".await", "async ", "block_on"].iter().any(|word| body.contains(word)) {
                let name = signature.split(['(', '<']).next().unwrap_or_default();
                wrong.push(format!("{}: {name} waits inside a unit of work", source.path));
            }
        }
    }
    assert!(units > 20, "units of work are found: {units}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Settings have one reader; every floor but the outermost is handed values.
#[test]
fn settings_are_read_in_config_only() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        if source.path == "src/config.rs" || source.is_test() {
            continue;
        }
        for reading in ["env::var", "env::vars", "env!(", "env::args"] {
            if source.product().contains(reading) {
                wrong.push(format!("{}: {reading}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Only `db::dialect` and `db::conn` name a database in code.
#[test]
fn one_database_is_named_in_dialect_and_conn_only() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        if source.floor() != "db"
            || source.is_test()
            || ["dialect", "conn"].contains(&source.modules().get(1).copied().unwrap_or_default())
        {
            continue;
        }
        if source.product().contains("DbConn::Sqlite")
            || source.product().contains("DbConn::Postgres")
        {
            wrong.push(source.path.clone());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A file that nobody can keep in mind is split.
#[test]
fn no_file_is_too_long() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let lines = source.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = lines.lines().count();
        if !source.is_test() && lines > LONGEST {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every module says first what it is.
#[test]
fn every_module_begins_with_what_it_is() {
    let silent: Vec<String> = sources("src")
        .into_iter()
        .filter(|source| !source.text.starts_with("//! ") && !source.is_test())
        .map(|source| source.path)
        .collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

fn architecture() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// ARCHITECTURE.md numbers the invariants and names the tests that hold each; all of them exist.
#[test]
fn every_invariant_has_its_test() {
    let files: Vec<Source> = sources("tests").into_iter().chain(sources("src")).collect();
    let text = architecture();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| I")).collect();
    for (i, row) in rows.iter().enumerate() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert_eq!(cells[1], format!("I{}", i + 1), "the invariants are numbered");
        let tests: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            let (path, function) = test.rsplit_once("::").unwrap_or_else(|| panic!("{test}"));
            assert!(files.iter().any(|file| holds(file, path, function)), "{test} is gone");
        }
    }
    assert!(rows.len() >= 8, "the table is found");
    assert!(text.lines().count() <= 200, "ARCHITECTURE.md has at most 200 lines");
}

/// Whether a file is the module `path` (its last parts, its inner `tests` too) and has a test of
/// this name.
fn holds(file: &Source, path: &str, function: &str) -> bool {
    let modules = file.modules().join("::");
    let inner = format!("{modules}::tests");
    let fits = |module: &str| module == path || module.ends_with(&format!("::{path}"));
    let is_module = fits(&modules.replace('/', "::")) || fits(&inner);
    is_module && file.code.contains(&format!("fn {function}("))
}

/// A decision is short enough to be read.
#[test]
fn decisions_are_short() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("docs/decisions")).unwrap() {
        let path = entry.unwrap().path();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 40, "{}: {lines} lines", path.display());
        count += 1;
    }
    assert!(count > 0, "decisions are found");
}

/// Both databases have the same migrations, each with a way back.
#[test]
fn both_databases_have_the_same_migrations() {
    let names = |database: &str| -> BTreeSet<String> {
        let folder = root().join("migrations").join(database);
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                for file in ["up.sql", "down.sql"] {
                    assert!(entry.path().join(file).is_file(), "{}/{file}", entry.path().display());
                }
                entry.file_name().into_string().unwrap()
            })
            .collect()
    };
    let sqlite = names("sqlite");
    assert!(!sqlite.is_empty(), "migrations are found");
    assert_eq!(sqlite, names("postgres"));
}

/// The reading of code that everything above relies on.
#[test]
fn code_is_read_as_it_is() {
    let code =
        code_of("// crate::db\nlet a = \"crate::db \\\" x\"; r#\"crate::http \" \"#; 'c'; &'a str");
    assert_eq!(code, "\nlet a = ; ; ; &'a str");
    let text = "use crate::{db, scim::list::{self, Page}, clock}; my_crate::x; crate::domain::id::is_id(a)";
    let floors: Vec<&str> = paths_after(text, "crate::").iter().map(|path| path[0]).collect();
    assert_eq!(floors, ["db", "scim", "clock", "domain"]);
    let above = |path: &str, code: &str| {
        imports(&Source { path: path.to_owned(), code: code.to_owned(), text: String::new() })
    };
    assert_eq!(
        above("src/db/users.rs", "use super::super::service::Cx;"),
        BTreeSet::from(["service".to_owned()])
    );
    assert!(above("src/db/users.rs", "use super::schema::users;").is_empty());
    assert!(above("src/service/mod.rs", "use self::users;").is_empty());
}
