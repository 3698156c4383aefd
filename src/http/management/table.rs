//! The table of routes: what each does, who may, what it takes and gives. The router, the decision who
//! may, `/openapi.json` and `/docs` are made from it, so that none of them can leave a route out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use actix_web::{HttpRequest, Route};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::domain::authorization::Act;

/// Where all of it lies.
pub const BASE: &str = "/api/v1";
/// What `C` in a path stands for.
const COMPANY: &str = "/companies/{company}";
/// What `O` in a path stands for: the same resource under its company and by itself.
const ORGANIZATION: [&str; 2] =
    ["/companies/{company}/organizations/{organization}", "/organizations/{organization}"];

/// The form of a body.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Its name.
    pub name: fn() -> Cow<'static, str>,
    /// Itself.
    pub schema: fn() -> RefOr<Schema>,
    /// What it refers to.
    pub parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

const fn shape<T: ToSchema>() -> Shape {
    Shape { name: T::name, schema: T::schema, parts: T::schemas }
}

/// What a route gives.
#[derive(Clone, Copy)]
pub enum Gives {
    /// No body.
    Nothing,
    /// One of these.
    One(Shape),
    /// A page of these.
    Page(Shape),
}

/// One route.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The method.
    pub method: &'static str,
    /// The path behind [`BASE`], with `C` and `O` for a company's and an organization's.
    pub path: &'static str,
    /// What it does, as far as it matters who may.
    pub act: Act,
    /// What it does, for people.
    pub about: &'static str,
    /// The parameters of its query beside those of pages: the name, whether it must be there, what it says. A
    /// `company` among them is one that the path does not name.
    pub asks: &'static [(&'static str, bool, &'static str)],
    /// The body that it takes.
    pub takes: Option<Shape>,
    /// The status of success.
    pub status: u16,
    /// The body of success.
    pub gives: Gives,
    /// Its handler.
    pub route: fn() -> Route,
}

impl Entry {
    /// A route that takes nothing and gives nothing, yet.
    pub const fn new(
        (method, path): (&'static str, &'static str),
        act: Act,
        about: &'static str,
        route: fn() -> Route,
    ) -> Self {
        let (takes, status, gives) = (None, 204, Gives::Nothing);
        Self { method, path, act, about, asks: &[], takes, status, gives, route }
    }

    /// With these parameters in its query.
    pub const fn asks(mut self, asks: &'static [(&'static str, bool, &'static str)]) -> Self {
        self.asks = asks;
        self
    }

    /// With this body.
    pub const fn takes<T: ToSchema>(mut self) -> Self {
        self.takes = Some(shape::<T>());
        self
    }

    /// With this answer.
    pub const fn gives<T: ToSchema>(mut self, status: u16) -> Self {
        self.status = status;
        self.gives = Gives::One(shape::<T>());
        self
    }

    /// With a page of these as its answer.
    pub const fn pages<T: ToSchema>(mut self) -> Self {
        self.status = 200;
        self.gives = Gives::Page(shape::<T>());
        self
    }

    /// The whole paths under which it is served.
    pub fn paths(&self) -> Vec<String> {
        match self.path.split_at_checked(1) {
            Some(("C", rest)) => vec![format!("{BASE}{COMPANY}{rest}")],
            Some(("O", rest)) => ORGANIZATION.map(|path| format!("{BASE}{path}{rest}")).to_vec(),
            _ => vec![format!("{BASE}{}", self.path)],
        }
    }
}

/// All routes.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    super::NOUNS.iter().flat_map(|(_, entries)| entries.iter())
}

/// The route that a request was matched with.
pub fn of(request: &HttpRequest) -> Option<&'static Entry> {
    static BY_PATH: OnceLock<HashMap<(&'static str, String), &'static Entry>> = OnceLock::new();
    let all = BY_PATH.get_or_init(|| {
        let all = entries().flat_map(|entry| entry.paths().into_iter().map(move |p| (p, entry)));
        all.map(|(path, entry)| ((entry.method, path), entry)).collect()
    });
    let pattern = request.match_pattern()?;
    let method = request.method().as_str();
    all.iter()
        .find(|((its_method, path), _)| *its_method == method && *path == pattern)
        .map(|(_, entry)| *entry)
}

/// The paths in the order of the table, each with its routes.
pub fn resources() -> Vec<(String, Vec<&'static Entry>)> {
    let mut out: Vec<(String, Vec<&'static Entry>)> = Vec::new();
    for entry in entries() {
        for path in entry.paths() {
            match out.iter_mut().find(|(known, _)| *known == path) {
                Some((_, entries)) => entries.push(entry),
                None => out.push((path, vec![entry])),
            }
        }
    }
    out
}
