//! Group filters: patterns that say which groups of the identity provider give a team (ruling 6).
//!
//! An unanchored search, case-sensitive, by an engine whose time is linear in the name. Block wins; without
//! an allow pattern everything is allowed. A group that is filtered out stays in the directory.

use jiff::Timestamp;
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// Most patterns of a company, both lists together.
pub const MAX_PATTERNS: usize = 100;
/// Longest pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 512;
/// Most bytes that one compiled pattern takes: `(\w{100}){100}` is short, and is not.
const MAX_COMPILED: usize = 1 << 18;
/// Most bytes that a list of compiled patterns takes.
const MAX_LIST: usize = 10 << 20;
/// Deepest nesting of brackets in a pattern.
const MAX_NESTING: u32 = 50;

/// The filters of a company as stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFilters {
    /// Only groups that one of these matches give a team; all, where there is none.
    pub allow: Vec<String>,
    /// Groups that one of these matches give none.
    pub block: Vec<String>,
    /// Counts the changes; 0: never set.
    pub version: i64,
    /// The version that a job has brought to all teams.
    pub applied_version: i64,
    /// When they last changed.
    pub updated_at: Option<Timestamp>,
}

/// Which of the two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// What is let through.
    Allow,
    /// What is kept out.
    Block,
}

impl List {
    /// Its name in bodies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
        }
    }
}

/// Why patterns are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There are too many.
    #[error("there are at most {MAX_PATTERNS} patterns, both lists together")]
    TooMany,
    /// This one is longer than [`MAX_PATTERN_BYTES`].
    #[error("a pattern is at most {MAX_PATTERN_BYTES} bytes long")]
    TooLong(List, usize),
    /// This one matches everything, which is seldom what an empty field means.
    #[error("an empty pattern matches every group: write .* where that is meant")]
    Empty(List, usize),
    /// The engine does not take this one, and what it says.
    #[error("{2}")]
    Invalid(List, usize, String),
}

impl Fault {
    /// The list and the place in it of the pattern at fault.
    pub fn place(&self) -> Option<(List, usize)> {
        match self {
            Self::TooMany => None,
            Self::TooLong(list, at) | Self::Empty(list, at) | Self::Invalid(list, at, _) => {
                Some((*list, *at))
            }
        }
    }

    /// How the same is said to this engine.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Invalid(_, _, why) if why.contains("look-around") => {
                "Look-ahead and look-behind are not supported: put what must not match on the block list"
            }
            Self::Invalid(_, _, why) if why.contains("backreferences") => {
                "Backreferences are not supported: write what may repeat as alternatives"
            }
            Self::Invalid(_, _, why) if why.contains("size limit") => {
                "The pattern is too large when compiled: use smaller counts of repetition"
            }
            _ => {
                "The syntax is that of https://docs.rs/regex; a backslash in front of ( [ { . * + ? takes it as it is"
            }
        }
    }
}

/// What filters say of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It gives a team.
    Allowed,
    /// It is on the block list, whatever else it is on.
    Blocked,
    /// There is an allow list, and it is not on it.
    NotAllowed,
}

impl Verdict {
    /// Its name in answers and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Blocked => "blocked",
            Self::NotAllowed => "not_allowed",
        }
    }
}

/// A verdict with the first pattern of each list that matched, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The first allow pattern that matched.
    pub allow: Option<usize>,
    /// The first block pattern that matched.
    pub block: Option<usize>,
}

/// Filters that are ready to judge: compiled once, for any number of groups.
#[derive(Debug, Clone)]
pub struct Matcher {
    allow: RegexSet,
    block: RegexSet,
}

impl Default for Matcher {
    fn default() -> Self {
        Self { allow: RegexSet::empty(), block: RegexSet::empty() }
    }
}

impl Matcher {
    /// Compiles both lists.
    ///
    /// # Errors
    /// [`Fault`], with the first pattern at fault.
    pub fn new(allow: &[String], block: &[String]) -> Result<Self, Fault> {
        if allow.len() + block.len() > MAX_PATTERNS {
            return Err(Fault::TooMany);
        }
        Ok(Self { allow: compile(List::Allow, allow)?, block: compile(List::Block, block)? })
    }

    /// What the filters say of a group of this name, and by which patterns.
    pub fn judge(&self, name: &str) -> Judgement {
        let allow = self.allow.matches(name).iter().next();
        let block = self.block.matches(name).iter().next();
        let verdict = match (block, allow) {
            (Some(_), _) => Verdict::Blocked,
            (None, None) if !self.allow.is_empty() => Verdict::NotAllowed,
            (None, _) => Verdict::Allowed,
        };
        Judgement { verdict, allow, block }
    }

    /// The verdict alone.
    pub fn verdict(&self, name: &str) -> Verdict {
        if self.block.is_match(name) {
            Verdict::Blocked
        } else if self.allow.is_empty() || self.allow.is_match(name) {
            Verdict::Allowed
        } else {
            Verdict::NotAllowed
        }
    }

    /// Whether a group of this name gives a team.
    pub fn lets_through(&self, name: &str) -> bool {
        self.verdict(name) == Verdict::Allowed
    }
}

/// Each pattern by itself first, so that the one at fault is named.
fn compile(list: List, patterns: &[String]) -> Result<RegexSet, Fault> {
    for (at, pattern) in patterns.iter().enumerate() {
        if pattern.is_empty() {
            return Err(Fault::Empty(list, at));
        }
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(Fault::TooLong(list, at));
        }
        one(pattern).map_err(|why| Fault::Invalid(list, at, why.to_string()))?;
    }
    RegexSetBuilder::new(patterns)
        .size_limit(MAX_LIST)
        .nest_limit(MAX_NESTING)
        .build()
        .map_err(|why| Fault::Invalid(list, patterns.len().saturating_sub(1), why.to_string()))
}

fn one(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(MAX_COMPILED).nest_limit(MAX_NESTING).build()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(patterns: &[&str]) -> Vec<String> {
        patterns.iter().map(|p| (*p).to_owned()).collect()
    }

    fn matcher(allow: &[&str], block: &[&str]) -> Matcher {
        Matcher::new(&texts(allow), &texts(block)).unwrap()
    }

    /// Rows 84 to 88.
    #[test]
    fn verdicts() {
        let none = matcher(&[], &[]);
        assert!(none.lets_through("anything") && none.lets_through(""));
        let allow = matcher(&["^port-.*"], &[]);
        assert_eq!(allow.verdict("port-a"), Verdict::Allowed);
        assert_eq!(allow.verdict("ops"), Verdict::NotAllowed);
        let block = matcher(&[], &["^admin-.*"]);
        assert_eq!(block.verdict("admin-x"), Verdict::Blocked);
        assert_eq!(block.verdict("ops"), Verdict::Allowed);
        let both = matcher(&["x", ".*"], &["nothing", "^temp-.*"]).judge("temp-1");
        let wanted = Judgement { verdict: Verdict::Blocked, allow: Some(1), block: Some(1) };
        assert_eq!(both, wanted);
    }

    #[test]
    fn a_pattern_is_searched_for_as_it_is_written() {
        let plain = matcher(&["port"], &[]);
        assert!(plain.lets_through("my-port-2"));
        assert!(!plain.lets_through("PORT"));
        assert!(matcher(&["(?i)port"], &[]).lets_through("PORT"));
        assert!(!matcher(&["^port$"], &[]).lets_through("port\n"));
    }

    #[test]
    fn faults_name_the_pattern() {
        let fault = |allow: &[&str], block: &[&str]| Matcher::new(&texts(allow), &texts(block));
        assert!(matches!(fault(&["a", "("], &[]), Err(Fault::Invalid(List::Allow, 1, _))));
        let around = fault(&[], &["^(?!admin)"]).unwrap_err();
        assert_eq!(around.place(), Some((List::Block, 0)));
        assert!(around.hint().contains("block list"), "{around}");
        assert!(fault(&[r"(a)\1"], &[]).unwrap_err().hint().contains("Backreferences"));
        assert!(fault(&[r"(\w{100}){100}"], &[]).unwrap_err().hint().contains("too large"));
        assert_eq!(fault(&[""], &[]).unwrap_err(), Fault::Empty(List::Allow, 0));
        let long = "a".repeat(MAX_PATTERN_BYTES + 1);
        assert_eq!(fault(&[], &[&long]).unwrap_err(), Fault::TooLong(List::Block, 0));
        assert!(fault(&[&long[1..]], &[]).is_ok());
        let many = vec!["a"; MAX_PATTERNS];
        assert_eq!(fault(&many, &["a"]).unwrap_err(), Fault::TooMany);
        assert!(fault(&many, &[]).is_ok());
    }

    /// What makes other engines hang is answered at once here.
    #[test]
    fn no_pattern_takes_more_than_linear_time() {
        let catastrophic = matcher(&["^(a+)+$", "^(a|aa)+$", "^(a|a?)+$"], &[]);
        assert!(!catastrophic.lets_through(&format!("{}!", "a".repeat(100_000))));
    }

    proptest! {
        /// The lists judge as their patterns do one by one, and the two ways to ask agree.
        #[test]
        fn sets_judge_as_single_patterns(
            allow in prop::collection::vec("[a-c.*^$]{1,4}", 0..4),
            block in prop::collection::vec("[a-c.*^$]{1,4}", 0..4),
            name in "[a-d]{0,6}",
        ) {
            let Ok(filters) = Matcher::new(&allow, &block) else { return Ok(()) };
            let first = |patterns: &[String]| {
                patterns.iter().position(|p| Regex::new(p).unwrap().is_match(&name))
            };
            let judged = filters.judge(&name);
            prop_assert_eq!((judged.allow, judged.block), (first(&allow), first(&block)));
            prop_assert_eq!(judged.verdict, filters.verdict(&name));
            let through = judged.block.is_none() && (allow.is_empty() || judged.allow.is_some());
            prop_assert_eq!(filters.lets_through(&name), through);
        }

        #[test]
        fn no_pattern_panics(patterns in prop::collection::vec(any::<String>(), 0..4), name in any::<String>()) {
            if let Ok(filters) = Matcher::new(&patterns, &patterns) {
                prop_assert!(patterns.is_empty() || filters.verdict(&name) != Verdict::Allowed);
            }
        }
    }
}
