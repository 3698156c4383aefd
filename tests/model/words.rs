//! A PATCH request as a tree: what the generators make, the oracle reads and the server is sent.
//!
//! The oracle walks the tree and never parses a filter, so that it cannot share the server's faults.

use serde_json::{Map, Value, json};

/// One operation of a PATCH request.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `add`, `remove` or `replace` in any case.
    pub op: String,
    /// Where.
    pub path: Option<Path>,
    /// What.
    pub value: Option<Value>,
}

/// Where an operation acts (RFC 7644 §3.5.2, figure 7).
#[derive(Debug, Clone)]
pub enum Path {
    /// An attribute path: `emails`, `name.familyName`, `urn:…:User:manager.value`.
    Plain(String),
    /// A value path: `emails[type eq "work"].value`.
    Filtered {
        /// The multi-valued attribute.
        attribute: String,
        /// Which values.
        filter: Expression,
        /// The sub-attribute of those values.
        sub: Option<String>,
    },
}

/// A value filter (RFC 7644 §3.4.2.2).
#[derive(Debug, Clone)]
pub enum Expression {
    /// `type eq "work"`.
    Compare(String, &'static str, Value),
    /// `primary pr`.
    Present(String),
    /// `not (…)`.
    Not(Box<Expression>),
    /// `(…) and (…)`.
    And(Box<Expression>, Box<Expression>),
    /// `(…) or (…)`.
    Or(Box<Expression>, Box<Expression>),
}

impl Path {
    /// The text to send.
    pub fn text(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Filtered { attribute, filter, sub } => {
                let sub = sub.as_ref().map(|s| format!(".{s}")).unwrap_or_default();
                format!("{attribute}[{}]{sub}", filter.text())
            }
        }
    }
}

impl Expression {
    fn text(&self) -> String {
        match self {
            Self::Compare(name, operator, operand) => format!("{name} {operator} {operand}"),
            Self::Present(name) => format!("{name} pr"),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::And(a, b) => format!("{} and {}", a.operand(), b.operand()),
            Self::Or(a, b) => format!("{} or {}", a.operand(), b.operand()),
        }
    }

    /// The text as one side of `and` or `or`.
    fn operand(&self) -> String {
        match self {
            Self::And(..) | Self::Or(..) => format!("({})", self.text()),
            Self::Compare(..) | Self::Present(_) | Self::Not(_) => self.text(),
        }
    }
}

/// The body of a PATCH request.
pub fn body(operations: &[Operation]) -> Map<String, Value> {
    let operations: Vec<Value> = operations.iter().map(Operation::json).collect();
    let mut body = Map::new();
    body.insert("schemas".into(), json!(["urn:ietf:params:scim:api:messages:2.0:PatchOp"]));
    body.insert("Operations".into(), operations.into());
    body
}

impl Operation {
    fn json(&self) -> Value {
        let mut map = Map::new();
        map.insert("op".into(), self.op.clone().into());
        if let Some(path) = &self.path {
            map.insert("path".into(), path.text().into());
        }
        if let Some(value) = &self.value {
            map.insert("value".into(), value.clone());
        }
        map.into()
    }
}
