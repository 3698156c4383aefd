//! From groups to teams: what a change comes to.

/// What a change of teams comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Impact {
    /// Teams that are made.
    pub teams_added: i64,
    /// Teams that end.
    pub teams_removed: i64,
    /// Memberships that are made.
    pub memberships_added: i64,
    /// Memberships that end.
    pub memberships_removed: i64,
    /// Users who are in no team of an organization any more, and were in one.
    pub users_losing_all_teams: i64,
}
