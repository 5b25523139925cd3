//! Says of most keys that a run does not have that it does not have them: a Bloom filter.

use xxhash_rust::xxh3::xxh3_64;

/// Bits a key: one key in a hundred is looked for in vain.
const BITS_PER_KEY: u64 = 10;
/// Bits that a key sets: best for as many bits a key.
const PROBES: u64 = 7;

/// The bits.
pub(super) struct Filter(Vec<u64>);

/// A key, as filters know it.
#[derive(Clone, Copy)]
pub(crate) struct Hash(u64);

impl Hash {
    pub(crate) fn of(key: &[u8]) -> Self {
        Self(xxh3_64(key))
    }
}

impl Filter {
    /// Has all of these keys.
    pub(super) fn new(keys: &[Hash]) -> Self {
        let words = (keys.len() as u64 * BITS_PER_KEY).div_ceil(64).max(1);
        let mut filter = Self(vec![0; usize::try_from(words).unwrap_or(usize::MAX)]);
        for key in keys {
            for (word, bit) in filter.places(*key) {
                if let Some(word) = filter.0.get_mut(word) {
                    *word |= bit;
                }
            }
        }
        filter
    }

    pub(super) fn may_have(&self, key: Hash) -> bool {
        self.places(key).all(|(word, bit)| self.0.get(word).is_some_and(|word| word & bit != 0))
    }

    /// A key's bits: an arithmetic sequence from its two halves.
    fn places(&self, Hash(hash): Hash) -> impl Iterator<Item = (usize, u64)> + use<> {
        let bits = self.0.len() as u64 * 64;
        let (first, step) = (hash, hash.rotate_left(32) | 1);
        (0..PROBES).map(move |probe| {
            let at = first.wrapping_add(probe.wrapping_mul(step)) % bits.max(1);
            (usize::try_from(at / 64).unwrap_or(usize::MAX), 1 << (at % 64))
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        (rest.is_empty() && !words.is_empty()).then(|| Self(words.iter().map(|w| u64::from_le_bytes(*w)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_what_went_in_and_little_else() {
        let keys: Vec<Hash> = (0..5_000_u32).map(|n| Hash::of(&n.to_be_bytes())).collect();
        let filter = Filter::decode(&Filter::new(&keys).encode()).unwrap();
        assert!(keys.iter().all(|key| filter.may_have(*key)));
        let wrong = (5_000..25_000_u32).filter(|n| filter.may_have(Hash::of(&n.to_be_bytes()))).count();
        assert!(wrong < 400, "{wrong} of 20,000");
        assert!(!Filter::new(&[]).may_have(keys[0]));
    }
}
