//! What can be seen after a step.

use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use stagedoor::db;
use stagedoor::service::{Result, memberships, organizations};

use super::Play;
use crate::seen::Seen;
use crate::steps::ORGANIZATIONS;

impl Play<'_, '_> {
    pub(super) fn seen(&mut self) -> Result<Seen> {
        let company = self.ground.company.seq;
        let mut out = Seen::default();
        let live = self.live()?;
        for profile in db::profiles::users(self.cx.conn, company, ("", 100))? {
            let user = profile.user;
            let number = self.number(&user.id);
            let count = live.get(&user.id).copied().unwrap_or_default();
            out.users.insert((number, user.causes().reason().name(), count));
            if user.causes().status().name() == "DEACTIVATED" {
                continue;
            }
            for (seq, role) in db::sessions::roles(self.cx.conn, company, user.seq)? {
                let all = &self.ground.organizations;
                let place = all.iter().position(|o| o.seq == seq).unwrap();
                out.access.insert((place, number, role.name()));
            }
        }
        for n in 0..ORGANIZATIONS {
            let id = &self.ground.organizations[n].id;
            let organization = organizations::find(self.cx.conn, company, id)?;
            for member in memberships::page(self.cx.conn, &organization, ("", 100))? {
                let (row, status) = (&member.membership, member.status().name());
                let number = self.number(&member.user.id);
                out.members.insert((n, number, row.role.name(), row.source.name(), status));
            }
        }
        self.teams(&mut out)?;
        Ok(out)
    }

    fn number(&self, id: &str) -> usize {
        self.users.iter().position(|user| user.as_deref() == Some(id)).unwrap_or(usize::MAX)
    }

    /// Live sessions by user.
    fn live(&mut self) -> Result<BTreeMap<String, usize>> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            id: String,
            #[diesel(sql_type = BigInt)]
            live: i64,
        }
        let rows: Vec<Row> = sql_query(
            "SELECT u.id AS id, COUNT(*) AS live FROM sessions s JOIN users u ON u.seq = s.user_seq \
             WHERE s.ended_at IS NULL GROUP BY u.id",
        )
        .load(self.cx.conn)?;
        Ok(rows.into_iter().map(|row| (row.id, usize::try_from(row.live).unwrap())).collect())
    }

    fn teams(&mut self, out: &mut Seen) -> Result<()> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            place: i64,
            #[diesel(sql_type = Text)]
            name: String,
            #[diesel(sql_type = Text)]
            provider: String,
            #[diesel(sql_type = Text)]
            id: String,
            #[diesel(sql_type = Text)]
            origin: String,
        }
        let rows: Vec<Row> = sql_query(
            "SELECT t.organization_seq AS place, t.name AS name, t.provider AS provider, u.id AS id, \
             m.origin AS origin FROM team_members m JOIN teams t ON t.seq = m.team_seq \
             JOIN users u ON u.seq = m.user_seq",
        )
        .load(self.cx.conn)?;
        for row in rows {
            let all = &self.ground.organizations;
            let place = all.iter().position(|o| o.seq.0 == row.place).unwrap();
            out.teams.insert((place, row.name, row.provider, self.number(&row.id), row.origin));
        }
        Ok(())
    }
}
