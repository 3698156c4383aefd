//! Who has which name and which external id, as a batch goes on.

use std::collections::HashMap;

/// Who has a name or an external id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A stored resource, by its place among those that were looked up.
    Stored(usize),
    /// The new resource of a line of this batch.
    Line(u64),
}

/// Whom a line may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// Nobody has its name or its external id.
    Nobody,
    /// One has one of them, or both.
    One(Owner),
    /// One has the name and another one has the external id.
    Two,
}

/// The names and external ids that a batch is about.
#[derive(Debug, Default)]
pub struct Taken {
    names: HashMap<String, Owner>,
    external_ids: HashMap<String, Owner>,
}

impl Taken {
    /// These are somebody's from here on.
    pub fn put(&mut self, name_key: &str, external_id: Option<&str>, owner: Owner) {
        self.names.insert(name_key.to_owned(), owner);
        if let Some(external_id) = external_id {
            self.external_ids.insert(external_id.to_owned(), owner);
        }
    }

    /// These are nobody's from here on.
    pub fn free(&mut self, name_key: &str, external_id: Option<&str>) {
        self.names.remove(name_key);
        if let Some(external_id) = external_id {
            self.external_ids.remove(external_id);
        }
    }

    /// Whom a line with this name and this external id may mean.
    pub fn find(&self, name_key: &str, external_id: Option<&str>) -> Match {
        let by_name = self.names.get(name_key);
        let by_id = external_id.and_then(|id| self.external_ids.get(id));
        match (by_name, by_id) {
            (None, None) => Match::Nobody,
            (Some(one), None) | (None, Some(one)) => Match::One(*one),
            (Some(one), Some(other)) if one == other => Match::One(*one),
            _ => Match::Two,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_means_who_has_its_name_or_its_external_id() {
        let mut taken = Taken::default();
        let (a, b) = (Owner::Stored(0), Owner::Line(7));
        taken.put("a", Some("1"), a);
        taken.put("b", Some("2"), b);
        assert_eq!(taken.find("c", Some("3")), Match::Nobody);
        assert_eq!(taken.find("a", Some("3")), Match::One(a));
        assert_eq!(taken.find("c", Some("2")), Match::One(b));
        assert_eq!(taken.find("a", Some("2")), Match::Two);
        taken.free("a", Some("1"));
        taken.put("c", Some("1"), a);
        assert_eq!(taken.find("a", None), Match::Nobody);
        assert_eq!(taken.find("c", Some("1")), Match::One(a));
    }
}
