//! Which runs are merged.

use std::ops::Range;

/// The runs to merge next, of runs of these sizes, newest first: neighbours, of which each is not larger than all newer
/// ones of them together, and `fewest` at least. So a record is written again only into a run of at least twice the size,
/// and there are fewer than `fewest` runs for each doubling from the smallest to the largest.
pub(super) fn due(sizes: impl Iterator<Item = u64>, fewest: usize) -> Option<Range<usize>> {
    let sizes: Vec<u64> = sizes.collect();
    for (start, first) in sizes.iter().enumerate() {
        let mut sum = *first;
        let older = sizes.iter().skip(start + 1).take_while(|size| {
            let fits = **size <= sum;
            sum += **size;
            fits
        });
        let count = 1 + older.count();
        if count >= fewest {
            return Some(start..start + count);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (sizes, expected) in [
            (&[][..], None),
            (&[5, 5, 5], None),
            (&[5, 5, 5, 5], Some(0..4)),
            (&[5, 5, 5, 20], None),
            (&[5, 5, 5, 15], Some(0..4)),
            (&[1, 9, 5, 5, 5, 40], Some(1..5)),
            (&[1, 2, 4, 8, 16, 32], None),
            (&[40, 1, 1, 1], Some(0..4)),
        ] {
            assert_eq!(due(sizes.iter().copied(), 4), expected, "{sizes:?}");
        }
    }

    /// However sizes come, the number of runs grows with the logarithm of the whole.
    #[test]
    fn runs_stay_few() {
        for (fewest, most_runs, most_written) in [(4, 24, 5), (8, 28, 5)] {
            check_growth(fewest, most_runs, most_written);
        }
    }

    fn check_growth(fewest: usize, most_runs: usize, most_written: u64) {
        let (mut runs, mut most, mut written) = (Vec::new(), 0, 0);
        let mut seed = 7_u64;
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            runs.insert(0, 1 + (seed >> 33) % 1_000);
            while let Some(due) = due(runs.iter().copied(), fewest) {
                let at = due.start;
                let merged: u64 = runs.drain(due).sum();
                written += merged;
                runs.insert(at, merged);
            }
            most = most.max(runs.len());
        }
        let total: u64 = runs.iter().sum();
        assert!(most <= most_runs, "{fewest}: {most} runs");
        assert!(written < total * most_written, "{fewest}: written {written}, {total} in the end");
    }
}
