//! The address of a PostgreSQL server, whose password is told to that server and to nobody else.

use std::fmt;

/// How a connection is made unless the URL says otherwise: the seconds until a server that does not
/// answer counts as gone, and those until a dead connection is noticed.
const DEFAULTS: [(&str, &str); 6] = [
    ("connect_timeout", "5"),
    ("application_name", "stagedoor"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "15000"),
];

/// A URL as libpq takes it.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

impl PostgresUrl {
    /// Reads a URL; `None` where it is one of another kind.
    ///
    /// # Errors
    /// One line, in which the URL is not repeated.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let rest =
            text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let fault = if rest.is_empty() {
            Some("it names no server and no database")
        } else if authority.matches('@').count() > 1 || rest.contains(char::is_whitespace) {
            // libpq would take a part of the password for the host, and say so in its error.
            Some("the characters @ / ? : and blanks in a password are written %40 %2F %3F %3A %20")
        } else if !percent_encoded(rest) {
            Some("a percent sign is followed by two hexadecimal digits")
        } else {
            None
        };
        Some(match fault {
            Some(fault) => Err(format!("a wrong postgres URL: {fault}")),
            None => Ok(Self(text.to_owned())),
        })
    }

    /// The URL to connect with.
    pub fn to_connect(&self) -> String {
        let mut url = self.0.clone();
        for (name, value) in DEFAULTS {
            if !self.parameters().any(|(n, _)| n == name) {
                url.push(if url.contains('?') { '&' } else { '?' });
                url.push_str(&format!("{name}={value}"));
            }
        }
        url
    }

    /// An error of libpq or the server as one line without a password.
    pub fn explain(&self, error: &str) -> String {
        let mut line = error.split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in self.secrets() {
            line = line.replace(&secret, "…");
        }
        line
    }

    fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let query = self.0.split_once('?').map_or("", |(_, query)| query);
        query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// The passwords in the URL, as written and as meant.
    fn secrets(&self) -> Vec<String> {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        let mut found = vec![user.split_once(':').map_or("", |(_, password)| password)];
        let named = |name: &str| matches!(name, "password" | "sslpassword");
        found.extend(self.parameters().filter(|(n, _)| named(n)).map(|(_, value)| value));
        found.retain(|secret| !secret.is_empty());
        found.iter().flat_map(|secret| [(*secret).to_owned(), decoded(secret)]).collect()
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain(&self.0))
    }
}

fn percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        bytes.extend(u8::from_str_radix(digits, 16));
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PostgresUrl {
        PostgresUrl::parse(text).unwrap().unwrap()
    }

    #[test]
    fn no_password_is_shown() {
        for text in ["postgres://ada:gull%2F7@db/x", "postgresql://db/x?user=ada&password=gull%2F7"]
        {
            let url = url(text);
            let shown = format!("{url:?} {}", url.explain("wrong: gull/7\nor gull%2F7"));
            assert!(!shown.contains("gull"), "{shown}");
            assert!(shown.contains("db/x") && !shown.contains('\n'), "{shown}");
        }
    }

    #[test]
    fn a_wrong_url_is_not_repeated() {
        for bad in ["postgres://", "postgres://ada:gu@ll@db/x", "postgres://ada:gull%@db/x"] {
            let error = PostgresUrl::parse(bad).unwrap().unwrap_err();
            assert!(!error.contains("gu") && !error.contains("db"), "{error}");
        }
        assert!(PostgresUrl::parse("mysql://x").is_none());
    }

    #[test]
    fn the_operator_has_the_last_word() {
        let said = url("postgres://db/x?connect_timeout=30").to_connect();
        assert!(said.contains("connect_timeout=30&application_name=stagedoor"), "{said}");
        assert_eq!(said.matches("connect_timeout").count(), 1);
        assert!(url("postgres://db").to_connect().starts_with("postgres://db?connect_timeout=5&"));
    }
}
