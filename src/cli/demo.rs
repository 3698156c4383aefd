//! `serve --demo`: a company to try things with, and what to type.

use crate::domain::company::Plan;
use crate::domain::token;
use crate::service::companies::{self, NewCompany};
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
    let new = NewCompany {
        slug: "acme".to_owned(),
        name: "Acme".to_owned(),
        plan: Plan::Enterprise,
        scim_enabled: true,
    };
    let made = service.transact(move |cx: &mut Cx<'_>| companies::create(cx, new)).await;
    let company = super::one_line(made)?;
    let made = service.create_token(company, "demo".to_owned(), token::DEFAULT_LIFE).await;
    let (_, text) = super::one_line(made)?;
    Ok(format!(
        r#"
The company acme is there to try things with.

  SCIM base URL  {base_url}
  SCIM token     {text}

Try it:

  curl -H 'Authorization: Bearer {text}' {base_url}/ServiceProviderConfig

  curl -H 'Authorization: Bearer {text}' -H 'Content-Type: application/scim+json' \
    -d '{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"kari@tern.example"}}' \
    {base_url}/Users

  curl -H 'Authorization: Bearer {text}' '{base_url}/Users?filter=userName%20eq%20%22kari@tern.example%22'

"#
    ))
}
