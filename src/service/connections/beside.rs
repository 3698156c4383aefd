//! What is shown beside a connection: the company's domains, and when somebody last came in.

use jiff::Timestamp;

use crate::db::{self, DbConn};
use crate::domain::connection::Connection;
use crate::service::error::Result;

/// What lies beside a connection, and is none of its settings.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// The names of the company's domains.
    pub domains: Vec<String>,
    /// When somebody last came in, give or take a minute, and whether groups were claimed then.
    pub last_login: Option<(Timestamp, bool)>,
}

/// Reads it.
///
/// # Errors
/// The database's.
pub fn beside(conn: &mut DbConn, connection: &Connection) -> Result<Beside> {
    let whose = (connection.company, connection.seq);
    let last_login = db::connections::last_login(conn, whose)?;
    Ok(Beside { domains: db::domains::names(conn, connection.company)?, last_login })
}
