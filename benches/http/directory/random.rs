//! Numbers that look random and follow from a seed: the same run makes the same directory anywhere.

/// A stream of numbers (`SplitMix64`).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of this name under a seed; names that are neighbours have nothing in common.
    pub fn new(seed: u64, name: u64) -> Self {
        let mut random = Self(seed ^ name.wrapping_mul(0xD1B5_4A32_D192_ED03));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// One of some things, which must not be none.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// Parts of `total`, at most `parts` of them, the greatest first: the r-th is to the first as 1 to r
/// (Zipf), as far as `most` and whole numbers allow. They add up to `total` where `most` lets them.
pub fn zipf(total: usize, parts: usize, most: usize) -> Vec<usize> {
    let parts = parts.min(total);
    let harmonic: f64 = (1..=parts).map(|rank| 1.0 / float(rank)).sum();
    let mut sizes = Vec::with_capacity(parts);
    let mut left = total;
    for rank in 1..=parts {
        let wanted = (float(total) / harmonic / float(rank)).round();
        // Those that come after get one each at least.
        let size = whole(wanted).clamp(1, most.max(1)).min(left - (parts - rank));
        sizes.push(size);
        left -= size;
    }
    while left > 0 {
        let before = left;
        for size in sizes.iter_mut().filter(|size| **size < most) {
            if left > 0 {
                *size += 1;
                left -= 1;
            }
        }
        if before == left {
            break;
        }
    }
    sizes
}

/// Exact up to 2^32, and no directory has so many.
fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small, positive one"
)]
fn whole(number: f64) -> usize {
    number as usize
}
