//! One user of a directory: who she is follows from the directory's seed and her number.

use super::names::{DEPARTMENTS, FAMILY, GIVEN, SITES, Site};
use super::random::Random;

/// A user as an identity provider knows her.
pub struct Person {
    number: usize,
    given: (&'static str, &'static str),
    family: (&'static str, &'static str),
    department: &'static str,
    title: &'static str,
    site: &'static Site,
    active: bool,
    private_mail: bool,
    mobile: bool,
    house: usize,
}

impl Person {
    /// The user of this number.
    pub fn new(seed: u64, number: usize) -> Self {
        let mut random = Random::new(seed, u64::try_from(number).unwrap_or(u64::MAX));
        let (department, titles) = random.pick(&DEPARTMENTS);
        Self {
            number,
            given: *random.pick(&GIVEN),
            family: *random.pick(&FAMILY),
            department,
            title: *random.pick::<&str>(titles),
            site: random.pick(&SITES),
            active: !random.once_in(25),
            private_mail: random.once_in(3),
            mobile: random.once_in(2),
            house: 1 + random.below(400),
        }
    }

    /// Whether she may sign in: one in 25 may not any more.
    pub fn active(&self) -> bool {
        self.active
    }

    /// Her `userName`: an address, unlike all others by its number.
    pub fn user_name(&self, domain: &str) -> String {
        format!("{}.{}{}@{domain}", self.given.1, self.family.1, self.number)
    }

    /// The whole resource as an identity provider sends it. Text, since many are sent.
    pub fn resource(&self, domain: &str) -> String {
        let Self { number, department, title, active, house, .. } = self;
        let ((given, mailbox), (family, _)) = (self.given, self.family);
        let Site { town, country, street, dial, locale, timezone } = self.site;
        let user_name = self.user_name(domain);
        let private = if self.private_mail {
            format!(r#",{{"value":"{mailbox}{number}@mail.example","type":"home"}}"#)
        } else {
            String::new()
        };
        let mobile = if self.mobile {
            format!(r#",{{"value":"{dial} 9{number:07}","type":"mobile"}}"#)
        } else {
            String::new()
        };
        format!(
            concat!(
                r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","#,
                r#""urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"#,
                r#""userName":"{}","externalId":"00u{:016x}","#,
                r#""name":{{"givenName":"{}","familyName":"{}"}},"displayName":"{} {}","title":"{}","#,
                r#""emails":[{{"value":"{}","type":"work","primary":true}}{}],"#,
                r#""phoneNumbers":[{{"value":"{} 5{:07}","type":"work"}}{}],"#,
                r#""addresses":[{{"type":"work","streetAddress":"{} {}","locality":"{}","#,
                r#""country":"{}","primary":true}}],"#,
                r#""preferredLanguage":"{}","locale":"{}","timezone":"{}","active":{},"#,
                r#""urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"#,
                r#""employeeNumber":"{}","costCenter":"{}","organization":"{}","department":"{}"}}}}"#
            ),
            user_name,
            number,
            given,
            family,
            given,
            family,
            title,
            user_name,
            private,
            dial,
            number,
            mobile,
            street,
            house,
            town,
            country,
            locale,
            locale,
            timezone,
            active,
            number,
            4000 + number % 37,
            domain,
            department,
        )
    }
}
