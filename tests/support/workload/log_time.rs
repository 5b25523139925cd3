//! Timestamps as a log might give them.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;

/// Endless log times in milliseconds: mostly small steps, some records in the same millisecond, now and then a step
/// long enough that holds run out, seldom a step back.
pub struct LogTime {
    rng: ChaCha8Rng,
    now_ms: i64,
}

impl LogTime {
    /// Begins at the start of 2026.
    pub fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), now_ms: START_MS }
    }
}

impl Iterator for LogTime {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        self.now_ms += match self.rng.random_range(0..100) {
            0..10 => 0,
            10..90 => self.rng.random_range(1..5_000),
            90..95 => self.rng.random_range(5_000..600_000),
            95..98 => self.rng.random_range(600_000..4_000_000),
            98 => self.rng.random_range(0..=1_800) * 1_000, // whole seconds: exactly at the end of a hold
            _ => -self.rng.random_range(1..1_200_000),
        };
        Some(self.now_ms)
    }
}
