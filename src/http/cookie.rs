//! Cookies of browsers: the session's, and none that a script could read.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

use super::Site;

/// Name of the session's cookie. With `__Host-` a browser takes it over HTTPS alone, for this host alone.
const SECURE_SESSION: &str = "__Host-stgd_session";
/// The same where the site is plain HTTP, on a developer's machine.
const PLAIN_SESSION: &str = "stgd_session";

/// The name of the session's cookie at this site.
fn session_name(site: &Site) -> &'static str {
    if is_secure(site) { SECURE_SESSION } else { PLAIN_SESSION }
}

/// Name of the cookie of a browser that has begun to sign in, and the same where the site is plain HTTP.
const LOGIN: [&str; 2] = ["__Host-stgd_login", "stgd_login"];

fn login_name(site: &Site) -> &'static str {
    LOGIN[usize::from(!is_secure(site))]
}

/// The cookie by which a browser shows that it began a sign-in. It ends with the browser.
pub fn login(site: &Site, secret: &str) -> Cookie<'static> {
    plain(site, login_name(site), secret.to_owned())
}

/// The secret of a browser that has begun.
pub fn login_of(site: &Site, request: &HttpRequest) -> Option<String> {
    request.cookie(login_name(site)).map(|cookie| cookie.value().to_owned())
}

/// Whether browsers reach the site over HTTPS.
pub fn is_secure(site: &Site) -> bool {
    site.public_url.starts_with("https://")
}

/// A cookie of this site: no script reads it, no other site's request but a visit carries it.
pub fn plain(site: &Site, name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .secure(is_secure(site))
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish()
}

/// The session's cookie. It ends with the browser; the session ends by its own limits.
pub fn session(site: &Site, secret: &str) -> Cookie<'static> {
    plain(site, session_name(site), secret.to_owned())
}

/// What makes the browser forget the session.
pub fn no_session(site: &Site) -> Cookie<'static> {
    let mut cookie = session(site, "");
    cookie.set_max_age(Duration::ZERO);
    cookie
}

/// The session's secret, where the request brings one.
pub fn session_of(site: &Site, request: &HttpRequest) -> Option<String> {
    request.cookie(session_name(site)).map(|cookie| cookie.value().to_owned())
}
