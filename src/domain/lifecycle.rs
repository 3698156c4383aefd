//! A user's lifecycle: the causes of a status, what may happen to them, and what follows
//! (ruling 3). One table for SCIM, the management API and login alike.
//!
//! A status is never stored; its causes are.

use jiff::Timestamp;

use super::event::Action;
use super::user::UserStatus;

/// What a status follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Causes {
    /// What the IdP last wrote as `active`.
    pub active: bool,
    /// An admin's deactivation, which the IdP does not lift.
    pub admin_deactivated: bool,
    /// Mapping mode: no mapped group is left in any organization (D8).
    pub unmapped: bool,
    /// The first SSO login.
    pub activated_at: Option<Timestamp>,
}

/// Why a user stands where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// STAGED: nobody has signed in as this user.
    StagedFirstLoginRequired,
    /// ACTIVE: the user has signed in.
    SignedIn,
    /// DEACTIVATED: the IdP says `active: false`.
    DeactivatedByDirectory,
    /// DEACTIVATED: by an admin.
    DeactivatedByAdmin,
    /// DEACTIVATED: in mapping mode, without a mapped group.
    NoMappedGroup,
}

impl Reason {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::StagedFirstLoginRequired => "staged_first_login_required",
            Self::SignedIn => "signed_in",
            Self::DeactivatedByDirectory => "deactivated_by_directory",
            Self::DeactivatedByAdmin => "deactivated_by_admin",
            Self::NoMappedGroup => "no_mapped_group",
        }
    }
}

impl Causes {
    /// A user of whom nothing is known but what the IdP says.
    pub fn new(active: bool) -> Self {
        Self { active, admin_deactivated: false, unmapped: false, activated_at: None }
    }

    /// Where the user stands.
    pub fn status(self) -> UserStatus {
        match self.reason() {
            Reason::StagedFirstLoginRequired => UserStatus::Staged,
            Reason::SignedIn => UserStatus::Active,
            Reason::DeactivatedByDirectory | Reason::DeactivatedByAdmin | Reason::NoMappedGroup => {
                UserStatus::Deactivated
            }
        }
    }

    /// Why: of several causes the one that the fewest can mend comes first.
    pub fn reason(self) -> Reason {
        if self.admin_deactivated {
            Reason::DeactivatedByAdmin
        } else if !self.active {
            Reason::DeactivatedByDirectory
        } else if self.unmapped {
            Reason::NoMappedGroup
        } else if self.activated_at.is_some() {
            Reason::SignedIn
        } else {
            Reason::StagedFirstLoginRequired
        }
    }
}

/// What may happen to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// The IdP writes `active`.
    DirectorySays(bool),
    /// An admin deactivates (`true`), or lifts that.
    AdminDeactivates(bool),
    /// In mapping mode the last mapped group goes (`true`), or one returns.
    Unmapped(bool),
    /// An SSO login.
    SignsIn,
    /// The row becomes another person's, with this `active` (ruling 4).
    IsReplaced(bool),
}

/// What followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The causes now.
    pub causes: Causes,
    /// Where the user stood.
    pub from: UserStatus,
    /// Where the user stands.
    pub to: UserStatus,
}

impl Step {
    /// Whether the status is another.
    pub fn moved(&self) -> bool {
        self.from != self.to
    }

    /// Whether the user's sessions end: access is gone, or the user is another one.
    pub fn ends_sessions(&self) -> bool {
        self.from == UserStatus::Active && self.to != UserStatus::Active
    }

    /// What the change of status is called in events; `None` where there was none.
    pub fn action(&self) -> Option<Action> {
        self.moved().then_some(match self.to {
            UserStatus::Staged => Action::UserStaged,
            UserStatus::Active => Action::UserActivated,
            UserStatus::Deactivated => Action::UserDeactivated,
        })
    }
}

/// A deactivated user does not sign in: a login never reactivates (ruling 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginRefused(pub Reason);

/// Follows what happens.
///
/// # Errors
/// [`LoginRefused`] where a deactivated user signs in; nothing else is ever refused.
pub fn follow(causes: Causes, happening: Happening, now: Timestamp) -> Result<Step, LoginRefused> {
    let from = causes.status();
    let mut after = causes;
    match happening {
        Happening::DirectorySays(active) => after.active = active,
        Happening::AdminDeactivates(deactivated) => after.admin_deactivated = deactivated,
        Happening::Unmapped(unmapped) => after.unmapped = unmapped,
        Happening::SignsIn if from == UserStatus::Deactivated => {
            return Err(LoginRefused(causes.reason()));
        }
        Happening::SignsIn => after.activated_at = after.activated_at.or(Some(now)),
        Happening::IsReplaced(active) => after = Causes::new(active),
    }
    Ok(Step { causes: after, from, to: after.status() })
}

/// The whole table as text, from [`follow`] itself: a row for each set of causes, a column for each
/// happening.
pub fn table() -> String {
    let t = Timestamp::UNIX_EPOCH;
    let happenings = [
        ("IdP: `active: true`", Happening::DirectorySays(true)),
        ("IdP: `active: false`", Happening::DirectorySays(false)),
        ("admin deactivates", Happening::AdminDeactivates(true)),
        ("admin lifts", Happening::AdminDeactivates(false)),
        ("last mapped group goes", Happening::Unmapped(true)),
        ("mapped group returns", Happening::Unmapped(false)),
        ("signs in", Happening::SignsIn),
        ("becomes another person", Happening::IsReplaced(true)),
    ];
    let mut out = String::from("| `active` | by admin | unmapped | signed in | status | reason |");
    for (name, _) in happenings {
        out.push_str(&format!(" {name} |"));
    }
    out.push_str("\n|");
    out.push_str(&" --- |".repeat(6 + happenings.len()));
    for bits in 0..16_u8 {
        let causes = Causes {
            active: bits & 8 == 0,
            admin_deactivated: bits & 4 != 0,
            unmapped: bits & 2 != 0,
            activated_at: (bits & 1 != 0).then_some(t),
        };
        let yes = |b: bool| if b { "yes" } else { "no" };
        out.push_str(&format!(
            "\n| {} | {} | {} | {} | {} | `{}` |",
            yes(causes.active),
            yes(causes.admin_deactivated),
            yes(causes.unmapped),
            yes(causes.activated_at.is_some()),
            causes.status().name(),
            causes.reason().name(),
        ));
        for (_, happening) in happenings {
            let cell = match follow(causes, happening, t) {
                Err(_) => "refused",
                Ok(step) if step.moved() => step.to.name(),
                Ok(_) => "·",
            };
            out.push_str(&format!(" {cell} |"));
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn step(causes: Causes, happening: Happening) -> Step {
        follow(causes, happening, NOW).unwrap()
    }

    #[test]
    fn the_first_login_activates_once() {
        let first = step(Causes::new(true), Happening::SignsIn);
        assert_eq!((first.from, first.to), (UserStatus::Staged, UserStatus::Active));
        assert_eq!(first.action(), Some(Action::UserActivated));
        let later = NOW + jiff::SignedDuration::from_hours(1);
        let second = follow(first.causes, Happening::SignsIn, later).unwrap();
        assert_eq!(second.causes.activated_at, Some(NOW));
        assert_eq!(second.action(), None);
    }

    #[test]
    fn no_login_reactivates() {
        for happening in [
            Happening::DirectorySays(false),
            Happening::AdminDeactivates(true),
            Happening::Unmapped(true),
        ] {
            let causes = step(Causes::new(true), happening).causes;
            let refused = follow(causes, Happening::SignsIn, NOW).unwrap_err();
            assert_eq!(refused.0, causes.reason());
        }
    }

    /// Ruling 3: the IdP's `active: true` does not lift an admin's deactivation.
    #[test]
    fn each_cause_is_lifted_by_who_set_it() {
        let both = [Happening::AdminDeactivates(true), Happening::DirectorySays(true)];
        let causes = both.iter().fold(Causes::new(true), |c, h| step(c, *h).causes);
        assert_eq!(causes.status(), UserStatus::Deactivated);
        assert_eq!(step(causes, Happening::AdminDeactivates(false)).to, UserStatus::Staged);
    }

    /// Row 169: reactivation gives back what was there.
    #[test]
    fn who_had_signed_in_is_active_again() {
        let active = step(Causes::new(true), Happening::SignsIn).causes;
        let away = step(active, Happening::Unmapped(true));
        assert!(away.ends_sessions());
        assert_eq!(step(away.causes, Happening::Unmapped(false)).to, UserStatus::Active);
    }

    /// Ruling 4: another person with a recycled name begins anew.
    #[test]
    fn another_person_begins_anew() {
        let mut causes = step(Causes::new(true), Happening::SignsIn).causes;
        causes.active = false;
        assert_eq!(step(causes, Happening::IsReplaced(true)).causes, Causes::new(true));
    }
}
