//! `serve --demo`: a company to try things with, and what to type.

use crate::domain::company::{Company, Plan};
use crate::domain::event::Actor;
use crate::domain::role::{Permissions, Role};
use crate::domain::token;
use crate::service::api_keys::NewKey;
use crate::service::companies::{self, NewCompany};
use crate::service::organizations::{self, NewOrganization};
use crate::service::{Cx, Service};

/// Fills an empty database and returns what to tell the operator.
///
/// # Errors
/// One line for the operator.
pub async fn prepare(service: &Service, base_url: &str) -> Result<String, String> {
    let known = super::one_line(service.read_now(companies::list))?;
    if !known.is_empty() {
        return Ok("The database is not empty: nothing was made for a demo. \
                   Make a token with: stagedoor token create COMPANY --name demo\n"
            .to_owned());
    }
    let company = make_company(service).await?;
    let key = NewKey {
        name: "demo".to_owned(),
        scopes: Permissions::default(),
        life: token::DEFAULT_LIFE,
    };
    let (_, key) = super::one_line(service.create_key(None, key).await)?;
    let made = service.create_token(company, "demo".to_owned(), token::DEFAULT_LIFE).await;
    let (_, text) = super::one_line(made)?;
    let public_url = base_url.trim_end_matches("/scim/v2");
    let api_url = format!("{public_url}/api/v1");
    Ok(format!(
        r#"
The company acme is there to try things with.

  SCIM base URL  {base_url}
  SCIM token     {text}
  API base URL   {api_url}
  operator key   {key}
  organizations  development (open to everybody who has signed in), production (by invitation)

Try it:

  curl -H 'Authorization: Bearer {text}' {base_url}/ServiceProviderConfig

  curl -H 'Authorization: Bearer {text}' -H 'Content-Type: application/scim+json' \
    -d '{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"kari@tern.example"}}' \
    {base_url}/Users

  curl -H 'Authorization: Bearer {text}' '{base_url}/Users?filter=userName%20eq%20%22kari@tern.example%22'

  curl -H 'Authorization: Bearer {key}' {api_url}/companies/acme/organizations

  curl -H 'Authorization: Bearer {key}' \
    '{api_url}/explain/access?company=acme&user=kari@tern.example&organization=production'

The management API is described at {public_url}/docs.

"#
    ))
}

/// The company acme with an organization that everybody may enter and one that nobody may uninvited.
async fn make_company(service: &Service) -> Result<Company, String> {
    let made = service.transact(|cx: &mut Cx<'_>| {
        let new = NewCompany::new("acme".to_owned(), "Acme".to_owned(), Plan::Enterprise, true);
        let company = companies::create(cx, &Actor::Command, new)?;
        for (name, automatic_user_access) in [("Development", true), ("Production", false)] {
            let new = NewOrganization {
                slug: None,
                name: name.to_owned(),
                automatic_user_access,
                default_role: Role::Member,
            };
            organizations::create(cx, &Actor::Command, &company, new)?;
        }
        Ok(company)
    });
    super::one_line(made.await)
}
