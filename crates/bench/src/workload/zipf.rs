//! Choosing with Zipf's law, s = 1: the k-th most popular has a share of 1/k of the first's.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// Draws from 0 up to a count, lower ones more often.
pub struct Zipf {
    /// At `k`: the weight of all up to and with `k`.
    sums: Vec<f64>,
}

impl Zipf {
    /// Among so many.
    pub fn new(count: usize) -> Self {
        let weights = (1..=count).map(|rank| 1.0 / rank as f64);
        Self {
            sums: weights
                .scan(0.0, |sum, weight| {
                    *sum += weight;
                    Some(*sum)
                })
                .collect(),
        }
    }

    /// The next one.
    pub fn draw(&self, random: &mut ChaCha8Rng) -> usize {
        let at = random.random::<f64>() * self.sums.last().copied().unwrap_or_default();
        self.sums.partition_point(|sum| *sum <= at).min(self.sums.len().saturating_sub(1))
    }
}
