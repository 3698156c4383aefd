//! Which addresses may be dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{Policy, Refusal};

/// IPv4 networks that are not the public internet (RFC 6890 and its registry): this host, private, shared,
/// loopback, link-local, protocol assignments, documentation, 6to4 relays, benchmarks, multicast, reserved.
const NOT_PUBLIC: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Parts of IPv6's global unicast (`2000::/3`) that are not the public internet, or that carry an IPv4
/// address which would have to be checked too: protocol assignments with Teredo, documentation, 6to4.
const NOT_PUBLIC_6: [([u16; 2], u8); 4] =
    [([0x2001, 0], 23), ([0x2001, 0xdb8], 32), ([0x2002, 0], 16), ([0x3fff, 0], 20)];

/// Whether an address is one of the public internet. Of IPv6 only global unicast is: mapped and translated
/// IPv4 addresses (`::ffff:0:0/96`, `64:ff9b::/96`), local ones and multicast are not.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !NOT_PUBLIC.iter().any(|([a, b, c, d], prefix)| {
            let network = u32::from(Ipv4Addr::new(*a, *b, *c, *d));
            u32::from(ip) >> (32 - prefix) == network >> (32 - prefix)
        }),
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            first >> 13 == 1
                && !NOT_PUBLIC_6.iter().any(|([a, b], prefix)| {
                    let network = u128::from(Ipv6Addr::new(*a, *b, 0, 0, 0, 0, 0, 0));
                    u128::from(ip) >> (128 - prefix) == network >> (128 - prefix)
                })
        }
    }
}

impl Policy {
    /// Whether the operator allowed the address; a mapped one counts as the one that it stands for.
    fn allows(&self, ip: IpAddr) -> bool {
        let plain = ip.to_canonical();
        self.allow.iter().any(|net: &IpNet| net.contains(&ip) || net.contains(&plain))
    }

    /// Whether the address may be dialled; `plain`: by https on port 443, as what is public must be.
    ///
    /// # Errors
    /// [`Refusal::Private`]; [`Refusal::Scheme`] where it is public, but the form is for allowed ones.
    pub(super) fn check(&self, ip: IpAddr, plain: bool) -> Result<(), Refusal> {
        match (self.allows(ip), is_public(ip)) {
            (true, _) => Ok(()),
            (false, true) if plain => Ok(()),
            (false, true) => Err(Refusal::Scheme),
            (false, false) => Err(Refusal::Private),
        }
    }
}
