//! Many clients on one resource at once: nothing is lost, nothing doubled, nobody is refused
//! without a reason. Never relies on the order of two requests in flight.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::company::{Answer, Company, PATCH_OP};
use crate::server::{TestServer, on_both_databases};

/// Clients that change one group at once.
const CLIENTS: usize = 64;
/// Changes that each of them makes.
const ROUNDS: usize = 50;
/// Users that each of them adds and removes.
const OWN: usize = 3;
/// Repetitions of a race between two requests.
const RACES: usize = 40;

on_both_databases! {
    /// Each client knows what it added and removed; the group must know the same of all of them.
    fn no_member_is_lost_or_doubled(server: &TestServer) {
        let group = server.acme().group("Crowd", &[]);
        let barrier = Barrier::new(CLIENTS);
        let expected: BTreeSet<String> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let (group, barrier) = (&group, &barrier);
                    // A connection of its own, as another machine would have.
                    let company = server.client(server.acme().token());
                    scope.spawn(move || {
                        let users: Vec<String> =
                            (0..OWN).map(|n| company.user(&format!("c{number}u{n}"))).collect();
                        barrier.wait();
                        toggle(&company, group, &users)
                    })
                })
                .collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        let members = server.acme().members(&group);
        assert_eq!(members, expected.iter().cloned().collect::<Vec<_>>());
        for id in &expected {
            assert_eq!(groups_of(server.acme(), id), [group.as_str()]);
        }
        assert!(!expected.is_empty() && expected.len() < CLIENTS * OWN, "both ends were tried");
    }

    /// Either order is right; in both of them the group and the user say the same.
    fn adding_and_removing_one_member_leaves_it_once_or_not_at_all(server: &TestServer) {
        let acme = server.acme();
        let (group, user) = (acme.group("Pair", &[]), acme.user("one"));
        for round in 0..RACES {
            let [added, removed] = at_once(
                server,
                &[
                    ("PATCH", groups(&group), add(&user, round)),
                    ("PATCH", groups(&group), remove(&user, round)),
                ],
            );
            added.expect(204);
            removed.expect(204);
            let members = acme.members(&group);
            assert!(members.is_empty() || members == [user.as_str()], "{members:?}");
            assert_eq!(groups_of(acme, &user).len(), members.len());
        }
    }

    /// A new name and a new member touch different things: both stay.
    fn a_rename_and_an_added_member_both_stay(server: &TestServer) {
        let acme = server.acme();
        let group = acme.group("Before", &[]);
        for round in 0..RACES {
            let user = acme.user(&format!("joins{round}"));
            let name = format!("After {round}");
            let rename = json!([{"op": "replace", "path": "displayName", "value": name}]);
            let [renamed, added] = at_once(
                server,
                &[
                    ("PATCH", groups(&group), patch(&rename)),
                    ("PATCH", groups(&group), add(&user, round)),
                ],
            );
            renamed.expect(204);
            added.expect(204);
            assert_eq!(acme.get(&groups(&group)).expect(200)["displayName"], name);
            assert_eq!(acme.members(&group).len(), round + 1);
        }
    }

    /// A deleted user is nobody's member, whichever request came first.
    fn a_deleted_user_is_in_no_group(server: &TestServer) {
        let acme = server.acme();
        let group = acme.group("Leaving", &[]);
        for round in 0..RACES {
            let user = acme.user(&format!("leaves{round}"));
            let [deleted, added] = at_once(
                server,
                &[
                    ("DELETE", format!("/Users/{user}"), Value::Null),
                    ("PATCH", groups(&group), add(&user, round)),
                ],
            );
            deleted.expect(204);
            // After the deletion the only named member is unknown (ruling 5).
            if added.status != 204 {
                added.refused(400, "invalidValue");
            }
            assert!(acme.members(&group).is_empty());
            acme.get(&format!("/Users/{user}")).fails(404);
        }
    }

    /// A deleted group is in no user's `groups`, whichever request came first.
    fn a_deleted_group_has_no_members(server: &TestServer) {
        let acme = server.acme();
        let user = acme.user("stays");
        for round in 0..RACES {
            let group = acme.group(&format!("Goes {round}"), &[]);
            let [deleted, added] = at_once(
                server,
                &[
                    ("DELETE", groups(&group), Value::Null),
                    ("PATCH", groups(&group), add(&user, round)),
                ],
            );
            deleted.expect(204);
            assert!(added.status == 204 || added.status == 404, "{}", added.reply);
            assert!(groups_of(acme, &user).is_empty());
        }
    }

    /// RFC 7644 §3.14: of several who saw the same version, one writes; the others get 412.
    fn one_writer_wins_each_version(server: &TestServer) {
        let acme = server.acme();
        let path = format!("/Users/{}", acme.user("contested"));
        for round in 0..RACES {
            let version = acme.get(&path).expect(200).header("etag").unwrap().to_owned();
            let headers =
                [("Content-Type", "application/scim+json"), ("If-Match", version.as_str())];
            let answers = race(server, 4, |company, number| {
                let title = format!("{round} {number}");
                let change = patch(&json!([{"op": "replace", "path": "title", "value": title}]));
                company.send("PATCH", &path, &headers, Some(change.to_string().as_bytes()))
            });
            let winners: Vec<usize> = (0..4).filter(|n| answers[*n].status == 200).collect();
            assert_eq!(winners.len(), 1, "{answers:#?}");
            for answer in answers.into_iter().filter(|answer| answer.status != 200) {
                answer.fails(412);
            }
            let title = format!("{round} {}", winners[0]);
            assert_eq!(acme.get(&path).expect(200)["title"], title);
        }
    }

    /// Without `If-Match` two changes of different attributes both stay.
    fn changes_of_different_attributes_both_stay(server: &TestServer) {
        let acme = server.acme();
        let path = format!("/Users/{}", acme.user("shared"));
        let change = |name: &str, round: usize| {
            patch(&json!([{"op": "replace", "path": name, "value": round.to_string()}]))
        };
        for round in 0..RACES {
            let [one, other] = at_once(
                server,
                &[
                    ("PATCH", path.clone(), change("title", round)),
                    ("PATCH", path.clone(), change("nickName", round)),
                ],
            );
            one.expect(200);
            other.expect(200);
            let user = acme.get(&path).expect(200);
            assert_eq!([&user["title"], &user["nickName"]], [&json!(round.to_string()); 2]);
        }
    }

    /// Of many who create the same `userName`, one is answered 201, the others 409.
    fn one_creator_wins_a_name(server: &TestServer) {
        for round in 0..RACES / 4 {
            let body = crate::company::user(&format!("wanted{round}"));
            let answers = race(server, 8, |company, _| company.post("/Users", &body));
            let (made, refused): (Vec<_>, Vec<_>) =
                answers.into_iter().partition(|answer| answer.status == 201);
            assert_eq!(made.len(), 1);
            for answer in refused {
                answer.refused(409, "uniqueness");
            }
        }
    }

    /// Whoever is made at the same moment as others is made as if alone: the whole document, each value
    /// in its index, counted once; and who is refused is refused alone.
    fn who_is_made_among_others_is_made_whole(server: &TestServer) {
        let acme = server.acme();
        let before = acme.get("/Users?count=0").total();
        let mut made = 0;
        for round in 0..RACES / 10 {
            // Two of every five want one name.
            let name = |number: usize| format!("among{round}-{}", number - usize::from(number % 5 == 4));
            let answers = race(server, CLIENTS / 2, |company, number| {
                company.post("/Users", &odd_user(&name(number), number))
            });
            let mut names = BTreeSet::new();
            for (number, answer) in answers.into_iter().enumerate() {
                if answer.status == 409 {
                    assert!(number % 5 >= 3, "{number} was alone with this name");
                    continue;
                }
                made += 1;
                let user = answer.expect(201).json;
                assert!(names.insert(name(number)), "{} is made twice", name(number));
                assert_eq!(acme.get(&format!("/Users/{}", user["id"].as_str().unwrap())).json, user);
                assert_eq!(user["displayName"], odd_user("", number)["displayName"]);
                let wanted = format!(
                    r#"emails.value eq "{}@odd.example" and name.familyName eq {}"#,
                    name(number),
                    user["name"]["familyName"],
                );
                assert_eq!(acme.filter("/Users", &wanted, "").each("id"), [user["id"].as_str().unwrap()]);
            }
            assert_eq!(names.len(), (0..CLIENTS / 2).map(name).collect::<BTreeSet<_>>().len());
        }
        assert_eq!(acme.get("/Users?count=0").total(), before + made);
    }
}

/// A user whose texts hold what lists of texts are written with; every third one lacks what may be missing.
fn odd_user(user_name: &str, number: usize) -> Value {
    const ODD: [&str; 6] =
        ["NULL", "{a,b}", r#"back\slash "quoted" \"#, "", "\u{1F600} ü, ", r"{\"];
    let odd = format!("{} {number}", ODD[number % ODD.len()]);
    let mut user = crate::company::user(user_name);
    user["name"] = json!({"familyName": odd});
    user["emails"] = json!([{"value": format!("{user_name}@odd.example"), "primary": true}]);
    if !number.is_multiple_of(3) {
        user["displayName"] = json!(odd);
        user["externalId"] = json!(format!("{odd} of {user_name}"));
    }
    user
}

/// Adds and removes a client's own users in turn; those that are members at the end.
fn toggle(company: &Company, group: &str, users: &[String]) -> Vec<String> {
    let mut members = BTreeSet::new();
    // Not every user is touched equally often, so that some end inside and some outside.
    for round in 0..ROUNDS {
        let user = &users[round % users.len()];
        let change = if members.remove(user) {
            remove(user, round)
        } else {
            members.insert(user.clone());
            add(user, round)
        };
        company.send_json("PATCH", &groups(group), &change).expect(204);
    }
    members.into_iter().collect()
}

/// The forms in which identity providers add a member.
fn add(user: &str, round: usize) -> Value {
    patch(&match round % 3 {
        0 => json!([{"op": "add", "path": "members", "value": [{"value": user}]}]),
        1 => json!([{"op": "Add", "path": "members", "value": {"value": user}}]),
        _ => json!([{"op": "add", "value": {"members": [{"value": user}]}}]),
    })
}

/// The forms in which identity providers remove a member.
fn remove(user: &str, round: usize) -> Value {
    patch(&match round % 2 {
        0 => json!([{"op": "remove", "path": format!("members[value eq \"{user}\"]")}]),
        _ => json!([{"op": "Remove", "path": "members", "value": [{"value": user}]}]),
    })
}

fn patch(operations: &Value) -> Value {
    json!({"schemas": [PATCH_OP], "Operations": operations})
}

fn groups(id: &str) -> String {
    format!("/Groups/{id}")
}

/// The ids of the groups that a user names.
fn groups_of(company: &Company, user: &str) -> Vec<String> {
    let user = company.get(&format!("/Users/{user}")).expect(200);
    let groups = user["groups"].as_array().cloned().unwrap_or_default();
    groups.iter().map(|group| group["value"].as_str().unwrap().to_owned()).collect()
}

/// Two requests from two clients, let go at the same moment.
fn at_once(server: &TestServer, requests: &[(&str, String, Value); 2]) -> [Answer; 2] {
    let answers = race(server, 2, |company, number| {
        let (method, path, body) = &requests[number];
        match body {
            Value::Null => company.delete(path),
            body => company.send_json(method, path, body),
        }
    });
    answers.try_into().unwrap()
}

/// What several clients are answered that are let go at the same moment.
fn race(
    server: &TestServer,
    clients: usize,
    request: impl Fn(&Company, usize) -> Answer + Sync,
) -> Vec<Answer> {
    let barrier = Barrier::new(clients);
    thread::scope(|scope| {
        let racers: Vec<_> = (0..clients)
            .map(|number| {
                let (barrier, request) = (&barrier, &request);
                let company = server.client(server.acme().token());
                scope.spawn(move || {
                    barrier.wait();
                    request(&company, number)
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}
