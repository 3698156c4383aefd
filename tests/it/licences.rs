//! The dependency tree against `deny.toml`: licences and banned versions, with nothing but cargo.
//!
//! `cargo deny` checks more (advisories need the network) and takes minutes to install; this holds
//! what must never be wrong on any machine. It reads the same file, so the two cannot disagree.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// One package of the tree.
struct Package {
    name: String,
    version: String,
    licence: String,
}

/// Every package that the lock file names, our own left out.
fn packages() -> Vec<Package> {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let text = |package: &Value, name: &str| package[name].as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let packages = packages.filter(|package| !package["source"].is_null()).map(|package| Package {
        name: text(package, "name"),
        version: text(package, "version"),
        licence: text(package, "license"),
    });
    packages.collect()
}

fn policy() -> toml::Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    std::fs::read_to_string(file).unwrap().parse().unwrap()
}

#[test]
fn every_licence_is_permissive() {
    let policy = policy();
    let allowed = policy["licenses"]["allow"].as_array().unwrap();
    let allowed: Vec<&str> = allowed.iter().map(|licence| licence.as_str().unwrap()).collect();
    let packages = packages();
    assert!(packages.len() > 100, "the whole tree is read");
    for Package { name, version, licence } in packages {
        assert!(permitted(&licence, &allowed), "{name} {version}: {licence:?}");
    }
}

#[test]
fn no_banned_version_is_there() {
    let policy = policy();
    let bans = policy["bans"]["deny"].as_array().unwrap();
    let packages = packages();
    for ban in bans {
        let what = ban["crate"].as_str().unwrap();
        let (banned, below) = what.split_once("@<").unwrap_or((what, ""));
        for Package { name, version, .. } in packages.iter().filter(|p| p.name == banned) {
            let sound = !below.is_empty() && numbers(version) >= numbers(below);
            assert!(sound, "{name} {version}: {:?}", ban.get("reason"));
        }
    }
}

/// Major, minor and patch.
fn numbers(version: &str) -> Vec<u64> {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    release.split('.').map(|number| number.parse().unwrap()).collect()
}

/// Whether an SPDX expression can be met with allowed licences: one side of each `OR`, both of an `AND`.
fn permitted(expression: &str, allowed: &[&str]) -> bool {
    // An old spelling of OR.
    let expression = expression.replace('/', " OR ");
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let met = either(&mut rest, allowed);
    assert!(rest.is_empty(), "a licence expression: {expression}");
    met
}

fn either(rest: &mut &[&str], allowed: &[&str]) -> bool {
    let mut met = both(rest, allowed);
    while let ["OR", more @ ..] = *rest {
        *rest = more;
        met |= both(rest, allowed);
    }
    met
}

fn both(rest: &mut &[&str], allowed: &[&str]) -> bool {
    let mut met = one(rest, allowed);
    while let ["AND", more @ ..] = *rest {
        *rest = more;
        met &= one(rest, allowed);
    }
    met
}

fn one(rest: &mut &[&str], allowed: &[&str]) -> bool {
    match *rest {
        ["(", more @ ..] => {
            *rest = more;
            let met = either(rest, allowed);
            *rest = rest.strip_prefix(&[")"]).unwrap();
            met
        }
        [licence, "WITH", exception, more @ ..] => {
            *rest = more;
            allowed.contains(&format!("{licence} WITH {exception}").as_str())
        }
        [licence, more @ ..] => {
            *rest = more;
            allowed.contains(licence)
        }
        [] => false,
    }
}

/// Any side of an `OR` will do, every side of an `AND` must; brackets bind first.
#[test]
fn expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
    for good in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "(GPL-3.0 OR ISC) AND MIT"] {
        assert!(permitted(good, &allowed), "{good}");
    }
    assert!(permitted("Apache-2.0 WITH LLVM-exception OR GPL-3.0", &allowed));
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "ISC AND (GPL-3.0 OR Apache-2.0)"] {
        assert!(!permitted(bad, &allowed), "{bad}");
    }
}
