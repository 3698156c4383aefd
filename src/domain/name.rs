//! A name that an operator gives: a company's, a token's.

/// Checks a name: 1 to 200 characters, not all blank, in one line, since it stands in tables.
///
/// # Errors
/// The rule, as one sentence.
pub fn check_name(name: &str) -> Result<(), String> {
    let fits = !name.trim().is_empty() && name.chars().count() <= 200;
    if fits && !name.contains(char::is_control) {
        return Ok(());
    }
    Err("a name is 1 to 200 characters in one line".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["Acme", "Ås & Sønner", &"å".repeat(200)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "  ", "two\nlines", "\u{1b}[31m", &"a".repeat(201)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
