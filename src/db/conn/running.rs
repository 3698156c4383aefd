//! Statements run on whichever database it is.

use diesel::pg::PgConnection;
use diesel::query_dsl::LoadQuery;
use diesel::query_dsl::methods::ExecuteDsl;
use diesel::sqlite::SqliteConnection;
use diesel::{QueryResult, RunQueryDsl};

use super::DbConn;
use crate::db::statement::{Known, Rows};

/// Runs a statement on whichever database it is. Diesel's connection to either of them would put its text
/// together anew in each of its passes, whether it is prepared already or not.
macro_rules! on_either {
    ($statement:ident.$run:ident($conn:ident)) => {
        match $conn {
            DbConn::Sqlite(lite) => RunQueryDsl::$run($statement, lite),
            DbConn::Postgres(pg) => RunQueryDsl::$run($statement, pg),
        }
    };
}

/// The same methods for [`Rows`] and [`Known`].
macro_rules! runs {
    ($of:ident<$($parameter:ident),*>) => {
        impl<$($parameter),*> $of<$($parameter),*> {
            /// All rows.
            ///
            /// # Errors
            /// The database's.
            pub fn load<'q, U>(self, conn: &mut DbConn) -> QueryResult<Vec<U>>
            where
                Self: LoadQuery<'q, SqliteConnection, U> + LoadQuery<'q, PgConnection, U>,
            {
                on_either!(self.load(conn))
            }

            /// The first row.
            ///
            /// # Errors
            /// `NotFound` where there is none; the database's.
            pub fn get_result<'q, U>(self, conn: &mut DbConn) -> QueryResult<U>
            where
                Self: LoadQuery<'q, SqliteConnection, U> + LoadQuery<'q, PgConnection, U>,
            {
                on_either!(self.get_result(conn))
            }

            /// Runs it and counts the rows that it changed.
            ///
            /// # Errors
            /// The database's.
            pub fn execute(self, conn: &mut DbConn) -> QueryResult<usize>
            where
                Self: ExecuteDsl<SqliteConnection> + ExecuteDsl<PgConnection>,
            {
                on_either!(self.execute(conn))
            }
        }
    };
}

runs!(Rows<ST>);
runs!(Known<K, ST>);
