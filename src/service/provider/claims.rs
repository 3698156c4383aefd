//! What tokens and userinfo say of a person: who they are, as far as the scopes go, and where they stand
//! (ruling 13). Read anew for every token, so that a change in the directory is in the next one.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::db::{self, DbConn};
use crate::domain::grant::Terms;
use crate::domain::id::CompanySeq;
use crate::domain::presence::Presence;
use crate::domain::role::Role;

use crate::service::error::Result;

/// Most teams that a token names: it travels with every request. Userinfo names all.
const TEAMS_IN_TOKEN: usize = 100;

/// What is known of a person at one moment.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// The session, the user, the company.
    pub presence: Presence,
    place: Option<(String, String, Role)>,
    teams: Vec<String>,
    email: Option<(String, bool)>,
    document: Value,
}

/// Reads what is known of the person of a session, as far as the scopes go.
pub(super) fn gather(conn: &mut DbConn, presence: Presence, terms: &Terms) -> Result<Facts> {
    let session = &presence.session;
    let (mut place, mut teams) = (None, Vec::new());
    if let Some(organization) = session.organization {
        let here = (session.company, organization);
        place = db::sessions::place(conn, here, session.user)?;
        if place.is_some() {
            teams = db::team_members::names(conn, here, session.user)?;
        }
    }
    let document = serde_json::from_str(&presence.document)?;
    let email = address(&document).filter(|_| terms.has("email"));
    let email = match email {
        Some(address) => {
            let verified = is_verified(conn, presence.session.company, &address)?;
            Some((address, verified))
        }
        None => None,
    };
    Ok(Facts { presence, place, teams, email, document })
}

/// A user's address: the primary one, or the name that looks like one.
fn address(document: &Value) -> Option<String> {
    let name = document["userName"].as_str().filter(|name| name.contains('@'));
    primary(document, "emails").or_else(|| name.map(str::to_owned))
}

/// Whether an address is the company's to give: it lies in a domain that it has proven to be its own.
fn is_verified(conn: &mut DbConn, company: CompanySeq, address: &str) -> Result<bool> {
    match address.rsplit_once('@') {
        Some((_, domain)) => Ok(db::domains::verified(conn, company, &domain.to_lowercase())?),
        None => Ok(false),
    }
}

impl Facts {
    /// When the session ends at the latest.
    pub fn ends_at(&self) -> Timestamp {
        self.presence.session.ends_at(self.presence.settings)
    }

    /// What every token and userinfo say.
    pub fn common(&self, terms: &Terms, whole: bool) -> Map<String, Value> {
        let presence = &self.presence;
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("sub", presence.user_id.as_str().into());
        put("sid", presence.session.id.as_str().into());
        put("auth_time", presence.session.authenticated_at().as_second().into());
        put("amr", json!([presence.method()]));
        put("session_expiry", self.ends_at().as_second().into());
        put("status", presence.causes.status().name().into());
        put("company_id", presence.company_id.as_str().into());
        put("company_slug", presence.company_slug.as_str().into());
        if let Some((id, slug, role)) = &self.place {
            put("organization_id", id.as_str().into());
            put("organization_slug", slug.as_str().into());
            put("role", role.name().into());
            match self.teams.len() > TEAMS_IN_TOKEN && !whole {
                true => put("teams_overage", true.into()),
                false => put("teams", json!(self.teams)),
            };
        }
        self.person(terms, &mut claims);
        claims
    }

    /// Who somebody is, as far as the scopes go (OpenID Connect Core §5.4).
    fn person(&self, terms: &Terms, claims: &mut Map<String, Value>) {
        let document = &self.document;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value.into());
            }
        };
        if terms.has("profile") {
            let name = &document["name"];
            let (first, last) = (text(&name["givenName"]), text(&name["familyName"]));
            let both = [first.clone(), last.clone()].into_iter().flatten().collect::<Vec<_>>();
            let whole = text(&document["displayName"]).or_else(|| text(&name["formatted"]));
            put("name", whole.or_else(|| (!both.is_empty()).then(|| both.join(" "))));
            put("given_name", first);
            put("family_name", last);
            put("preferred_username", text(&document["userName"]));
            put("picture", primary(document, "photos"));
            put("locale", text(&document["locale"]));
            put("zoneinfo", text(&document["timezone"]));
        }
        if terms.has("phone") {
            put("phone_number", primary(document, "phoneNumbers"));
        }
        if let Some((address, verified)) = self.email.as_ref().filter(|_| terms.has("email")) {
            put("email", Some(address.clone()));
            claims.insert("email_verified".to_owned(), (*verified).into());
        }
    }
}

/// The primary one of a list of values, or else the first.
fn primary(document: &Value, list: &str) -> Option<String> {
    let values = document.get(list)?.as_array()?;
    let primary = values.iter().find(|value| value["primary"] == true);
    primary.or_else(|| values.first())?.get("value")?.as_str().map(str::to_owned)
}
