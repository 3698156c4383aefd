//! A membership: what a user is in one organization, how the user came in, and who may enter (ruling 7).

use std::str::FromStr;

use jiff::Timestamp;

use super::id::CompanySeq;
use super::organization::OrganizationSeq;
use super::role::Role;
use super::user::UserStatus;

/// How somebody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// By an invitation.
    Invitation,
    /// With everybody who is ACTIVE; counts only while the organization lets everybody in.
    Automatic,
    /// By a group that is mapped to a team (mapping mode).
    Mapping,
    /// By an admin's hand.
    Manual,
}

impl Source {
    /// Its name in answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Automatic => "automatic",
            Self::Mapping => "mapping",
            Self::Manual => "manual",
        }
    }
}

impl FromStr for Source {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Invitation, Self::Automatic, Self::Mapping, Self::Manual]
            .into_iter()
            .find(|source| source.name() == text)
            .ok_or(())
    }
}

/// A membership as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    /// Where.
    pub organization: OrganizationSeq,
    /// Whose, by the user's storage key.
    pub user: i64,
    /// The company of both.
    pub company: CompanySeq,
    /// What the user is there. The directory neither raises nor lowers it.
    pub role: Role,
    /// How the user came in.
    pub source: Source,
    /// An admin's deactivation, of this organization alone.
    pub deactivated: bool,
    /// In mapping mode: no group of the user is mapped to a team here.
    pub unmapped: bool,
    /// The first time that the user worked there.
    pub entered_at: Option<Timestamp>,
    /// When the user came in.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Where somebody stands in an organization (D13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipStatus {
    /// Was let in by hand or by a mapping, and has never signed in.
    Staged,
    /// Invited, never signed in; may enter.
    Invited,
    /// May enter, and has signed in.
    Active,
    /// May not enter, whatever role and source say.
    Deactivated,
}

impl MembershipStatus {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Staged => "STAGED",
            Self::Invited => "INVITED",
            Self::Active => "ACTIVE",
            Self::Deactivated => "DEACTIVATED",
        }
    }
}

impl Membership {
    /// Where its user stands, who as a user of the company has this status. Computed, never stored.
    pub fn status(&self, user: UserStatus) -> MembershipStatus {
        match user {
            _ if self.deactivated || self.unmapped => MembershipStatus::Deactivated,
            UserStatus::Deactivated => MembershipStatus::Deactivated,
            UserStatus::Active => MembershipStatus::Active,
            UserStatus::Staged if self.source == Source::Invitation => MembershipStatus::Invited,
            UserStatus::Staged => MembershipStatus::Staged,
        }
    }
}

/// What else than a membership decides whether a user may enter an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grounds {
    /// Where the user stands in the company.
    pub status: UserStatus,
    /// Whether the user has come through a connection: automatic access is for these alone (row 69).
    pub by_sso: bool,
    /// Whether the organization lets everybody in.
    pub automatic: bool,
}

/// Why somebody may not enter an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The user is DEACTIVATED.
    UserDeactivated,
    /// The membership is, by an admin.
    MembershipDeactivated,
    /// In mapping mode: no group is mapped to a team there.
    NoMappedGroup,
    /// Automatic access begins with the first login.
    StagedFirstLoginRequired,
    /// Nobody invited the user, and not everybody may enter.
    NotInvited,
}

impl Refusal {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserDeactivated => "user_deactivated",
            Self::MembershipDeactivated => "membership_deactivated",
            Self::NoMappedGroup => "no_mapped_group",
            Self::StagedFirstLoginRequired => "staged_first_login_required",
            Self::NotInvited => "automatic_access_disabled_and_not_invited",
        }
    }
}

impl Grounds {
    /// Why this user may not enter, in the order of the checks of a login (D7); empty: the user may.
    pub fn refusals(self, membership: Option<&Membership>) -> Vec<Refusal> {
        let mut out = Vec::new();
        if self.status == UserStatus::Deactivated {
            out.push(Refusal::UserDeactivated);
        }
        if membership.is_some_and(|m| m.deactivated) {
            out.push(Refusal::MembershipDeactivated);
        }
        if membership.is_some_and(|m| m.unmapped) {
            out.push(Refusal::NoMappedGroup);
        }
        // A row of automatic access is a record of the role alone: what lets in is the switch.
        if membership.is_none_or(|m| m.source == Source::Automatic) {
            // The row itself says that the user came through a connection, whatever became of that.
            let came = self.by_sso || membership.is_some();
            if self.status == UserStatus::Staged || self.automatic && !came {
                out.push(Refusal::StagedFirstLoginRequired);
            }
            if !self.automatic {
                out.push(Refusal::NotInvited);
            }
        }
        out
    }

    /// How the user belongs to the organization, if at all: deactivated members belong there too.
    pub fn source(self, membership: Option<&Membership>) -> Option<Source> {
        match membership {
            Some(membership) if membership.source != Source::Automatic => Some(membership.source),
            Some(_) if self.automatic => Some(Source::Automatic),
            None if self.refusals(None).is_empty() => Some(Source::Automatic),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(source: Source) -> Membership {
        let t = Timestamp::UNIX_EPOCH;
        Membership {
            organization: OrganizationSeq(1),
            user: 1,
            company: CompanySeq(1),
            role: Role::Member,
            source,
            deactivated: false,
            unmapped: false,
            entered_at: None,
            created_at: t,
            updated_at: t,
        }
    }

    fn grounds(status: UserStatus, automatic: bool) -> Grounds {
        Grounds { status, by_sso: status == UserStatus::Active, automatic }
    }

    /// D13: INVITED has access; a deactivation of either blocks it.
    #[test]
    fn the_status_is_computed() {
        let invited = member(Source::Invitation);
        for (user, here) in [
            (UserStatus::Staged, MembershipStatus::Invited),
            (UserStatus::Active, MembershipStatus::Active),
            (UserStatus::Deactivated, MembershipStatus::Deactivated),
        ] {
            assert_eq!(invited.status(user), here);
        }
        assert_eq!(grounds(UserStatus::Staged, false).refusals(Some(&invited)), []);
        let off = Membership { deactivated: true, ..invited };
        assert_eq!(off.status(UserStatus::Active), MembershipStatus::Deactivated);
        let refusals = grounds(UserStatus::Active, true).refusals(Some(&off));
        assert_eq!(refusals, [Refusal::MembershipDeactivated]);
    }

    /// Ruling 7 and row 70: what automatic access gave goes with the switch, other memberships stay.
    #[test]
    fn automatic_access_is_derived() {
        let row = member(Source::Automatic);
        let (on, off) = (grounds(UserStatus::Active, true), grounds(UserStatus::Active, false));
        for membership in [None, Some(&row)] {
            assert_eq!(on.refusals(membership), []);
            assert_eq!(on.source(membership), Some(Source::Automatic));
            assert_eq!(off.refusals(membership), [Refusal::NotInvited]);
            assert_eq!(off.source(membership), None);
        }
        assert_eq!(off.refusals(Some(&member(Source::Manual))), []);
        let staged = grounds(UserStatus::Staged, true);
        assert_eq!(staged.refusals(None), [Refusal::StagedFirstLoginRequired]);
        assert_eq!(staged.source(None), None);
        // D9: the status comes before invitations.
        let neither = grounds(UserStatus::Staged, false).refusals(None);
        assert_eq!(neither, [Refusal::StagedFirstLoginRequired, Refusal::NotInvited]);
        let social = Grounds { by_sso: false, ..on };
        assert_eq!(social.refusals(None), [Refusal::StagedFirstLoginRequired]);
        assert_eq!(social.refusals(Some(&row)), []);
    }
}
