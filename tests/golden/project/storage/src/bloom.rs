use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// Says "certainly not" or "perhaps" about membership, in a few bits for each key.
pub struct BloomFilter {
    bits: Vec<u64>,
    hashes: u32,
}

impl BloomFilter {
    /// Sized for `expected` keys and a share of wrong "perhaps" of at most `error`.
    pub fn with_error(expected: usize, error: f64) -> BloomFilter {
        let bits = -(expected as f64) * error.ln() / (2f64.ln().powi(2));
        let hashes = (bits / expected as f64 * 2f64.ln()).round().max(1.0) as u32;
        BloomFilter { bits: vec![0; (bits / 64.0).ceil() as usize], hashes }
    }

    fn places<K: Hash>(&self, key: &K) -> impl Iterator<Item = usize> + '_ {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let first = hasher.finish();
        let second = first.rotate_left(32) | 1;
        let count = (self.bits.len() * 64) as u64;
        (0..u64::from(self.hashes)).map(move |n| (first.wrapping_add(n.wrapping_mul(second)) % count) as usize)
    }

    pub fn insert<K: Hash>(&mut self, key: &K) {
        for place in self.places(key).collect::<Vec<_>>() {
            self.bits[place / 64] |= 1 << (place % 64);
        }
    }

    pub fn may_contain<K: Hash>(&self, key: &K) -> bool {
        self.places(key).all(|place| self.bits[place / 64] & (1 << (place % 64)) != 0)
    }
}
