//! One company's SCIM API as a test speaks to it: short calls, whole answers.
//!
//! Sends what it is told to and judges nothing; a helper that does judge says so in its name or docs.

use std::ops::Index;

use serde_json::{Value, json};

use crate::client::{Call, HttpClient, Reply};

/// `urn:ietf:params:scim:schemas:core:2.0:User`.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// `urn:ietf:params:scim:schemas:core:2.0:Group`.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The enterprise extension (RFC 7643 §4.3).
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// Our status extension (ruling 3).
pub const STATUS: &str = "urn:stagedoor:params:scim:schemas:extension:2.0:User";
/// A PATCH body (RFC 7644 §3.5.2).
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// A bulk request (RFC 7644 §3.7).
pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// A search request (RFC 7644 §3.4.3).
pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// An error (RFC 7644 §3.12).
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// A token and the server that knows it.
#[derive(Clone)]
pub struct Company {
    client: HttpClient,
    address: String,
    token: String,
}

/// An answer with its JSON.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body as JSON; null where it is none.
    pub json: Value,
    /// Headers and bytes.
    pub reply: Reply,
}

impl Answer {
    /// The `id` of the resource.
    #[track_caller]
    pub fn id(&self) -> String {
        self.json["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.reply)).to_owned()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.reply.header(name)
    }

    /// Fails with the whole answer where the status is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.reply);
        self
    }

    /// Fails unless this is a SCIM error of this status and keyword (RFC 7644 §3.12).
    #[track_caller]
    pub fn refused(self, status: u16, keyword: &str) -> Self {
        assert_eq!(self.status, status, "{}", self.reply);
        assert_eq!(self.json["scimType"], keyword, "{}", self.reply);
        self.fails(status)
    }

    /// Fails unless this is a SCIM error of this status, with or without a keyword.
    #[track_caller]
    pub fn fails(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.reply);
        assert_eq!(self.json["schemas"], json!([ERROR]), "{}", self.reply);
        assert_eq!(self.json["status"], status.to_string(), "{}", self.reply);
        let detail = self.json["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "an error says why: {}", self.reply);
        self
    }

    /// `totalResults` of a list.
    #[track_caller]
    pub fn total(&self) -> u64 {
        let total = self.json["totalResults"].as_u64();
        total.unwrap_or_else(|| panic!("no totalResults in {}", self.reply))
    }

    /// `Resources` of a list.
    #[track_caller]
    pub fn resources(&self) -> &[Value] {
        let resources = self.json["Resources"].as_array();
        resources.unwrap_or_else(|| panic!("no Resources in {}", self.reply))
    }

    /// One attribute of each resource of a list, as texts.
    #[track_caller]
    pub fn each(&self, attribute: &str) -> Vec<String> {
        let texts = self.resources().iter().map(|r| r[attribute].as_str().unwrap_or_default());
        texts.map(str::to_owned).collect()
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        &self.json[name]
    }
}

impl Company {
    /// A client for the server at this address.
    pub fn new(address: &str, token: &str) -> Self {
        Self { client: HttpClient::new(), address: address.to_owned(), token: token.to_owned() }
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The address of a path below the SCIM base URL.
    pub fn url(&self, path: &str) -> String {
        format!("{}/scim/v2{path}", self.address)
    }

    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    /// GET with a filter and further parameters.
    pub fn filter(&self, path: &str, filter: &str, more: &str) -> Answer {
        self.get(&format!("{path}?filter={}{more}", crate::replay::encode(filter)))
    }

    /// POST.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send_json("POST", path, body)
    }

    /// PUT.
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send_json("PUT", path, body)
    }

    /// PATCH with a list of operations.
    pub fn patch(&self, path: &str, operations: &Value) -> Answer {
        self.send_json("PATCH", path, &json!({"schemas": [PATCH_OP], "Operations": operations}))
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None)
    }

    /// A JSON body with any method.
    pub fn send_json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send_bytes(method, path, body.to_string().as_bytes())
    }

    /// Bytes as `application/scim+json` with any method.
    pub fn send_bytes(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.send(method, path, &[("Content-Type", "application/scim+json")], Some(body))
    }

    /// Anything, with the token.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let mut all = vec![("Authorization", authorization.as_str())];
        all.extend(headers);
        self.send_as(method, path, &all, body)
    }

    /// Anything, with these headers alone.
    #[track_caller]
    pub fn send_as(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Answer {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let url = self.url(path);
        let body = body.map(<[u8]>::to_vec);
        let call = Call { method: method.to_owned(), url, headers, body };
        let reply = self.client.send(&call).unwrap_or_else(|why| panic!("{why}\n{call}"));
        let json = serde_json::from_slice(&reply.body).unwrap_or_default();
        Answer { status: reply.status, json, reply }
    }

    /// Makes a user who has nothing but a `userName`, and returns the id.
    #[track_caller]
    pub fn user(&self, user_name: &str) -> String {
        self.post("/Users", &user(user_name)).expect(201).id()
    }

    /// Makes a group with these members, and returns the id.
    #[track_caller]
    pub fn group(&self, display_name: &str, members: &[&str]) -> String {
        self.post("/Groups", &group(display_name, members)).expect(201).id()
    }

    /// What the status extension says of a user; it is in an answer only where it is asked for.
    #[track_caller]
    pub fn status(&self, user: &str) -> Value {
        self.get(&format!("/Users/{user}?attributes={STATUS}:status,{STATUS}:activatedAt"))
            .expect(200)[STATUS]
            .clone()
    }

    /// The ids of a group's members, sorted.
    #[track_caller]
    pub fn members(&self, group: &str) -> Vec<String> {
        let group = self.get(&format!("/Groups/{group}")).expect(200);
        let members = group["members"].as_array().cloned().unwrap_or_default();
        let ids = members.iter().map(|m| m["value"].as_str().unwrap_or_default().to_owned());
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        ids
    }
}

/// The body of the smallest user.
pub fn user(user_name: &str) -> Value {
    json!({"schemas": [USER], "userName": user_name})
}

/// The body of a group.
pub fn group(display_name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    json!({"schemas": [GROUP], "displayName": display_name, "members": members})
}

/// Ids in the order of [`Company::members`].
pub fn sorted<const N: usize>(ids: [&str; N]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    ids.sort();
    ids
}
