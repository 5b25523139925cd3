//! What the rows of a stretch of time say.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::watch::Row;

/// Looks at the lag, evenly over the time.
const LOOKS: usize = 50;
/// The histogram's precision, in decimal digits, and its largest value: 10 minutes, in microseconds.
const DIGITS: u8 = 3;
const LONGEST_US: u64 = 600_000_000;

/// Of a latency, in milliseconds.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Percentiles {
    pub rows: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

/// Rows whose commands were due in a stretch of time.
pub struct Seen {
    due: Vec<u64>,
    came: Vec<u64>,
    latencies: Vec<u64>,
    from: u64,
    until: u64,
}

impl Seen {
    /// Of those due from `from` up to and with `until`.
    pub fn new(rows: &[Row], from: u64, until: u64) -> Self {
        let within = || rows.iter().filter(|row| (from..=until).contains(&row.due));
        let mut seen = Self {
            due: within().map(|row| row.due).collect(),
            came: within().map(|row| row.came).collect(),
            latencies: within().map(|row| row.came.saturating_sub(row.due)).collect(),
            from,
            until,
        };
        seen.due.sort_unstable();
        seen.came.sort_unstable();
        seen
    }

    /// The latencies' percentiles.
    ///
    /// # Errors
    /// If there are none.
    pub fn percentiles(&self) -> anyhow::Result<Percentiles> {
        anyhow::ensure!(!self.latencies.is_empty(), "no rows came");
        let mut histogram = Histogram::<u64>::new_with_bounds(1, LONGEST_US, DIGITS)?;
        self.latencies.iter().for_each(|latency| histogram.saturating_record(*latency));
        let ms = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Ok(Percentiles {
            rows: histogram.len(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: histogram.max() as f64 / 1e3,
        })
    }

    /// By which part of what was sent the lag grew: the slope of the line through it, over the rate.
    pub fn lag_growth(&self) -> f64 {
        let span = self.until.saturating_sub(self.from);
        let looks = (1..=LOOKS).map(|look| {
            let at = self.from + span * look as u64 / LOOKS as u64;
            let count = |times: &[u64]| times.partition_point(|time| *time <= at) as f64;
            ((at - self.from) as f64, count(&self.due) - count(&self.came))
        });
        let rate = self.due.len() as f64 / span.max(1) as f64;
        slope(&looks.collect::<Vec<_>>()) / rate.max(f64::MIN_POSITIVE)
    }
}

/// Of the line with the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let both: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let square: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    both / square.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A command each millisecond for 10 s; `takes` says how long the one due at a time takes.
    fn seen(takes: impl Fn(u64) -> u64) -> Seen {
        let rows: Vec<_> =
            (0..10_000).map(|ms| Row { due: ms * 1_000, came: ms * 1_000 + takes(ms * 1_000) }).collect();
        Seen::new(&rows, 0, 10_000_000)
    }

    #[test]
    fn a_lag_that_stays_is_no_growth() {
        assert!(seen(|_| 20_000).lag_growth().abs() < 0.005);
        assert!(seen(|due| 200_000 - due % 200_000).lag_growth().abs() < 0.02, "rows that come in bursts");
    }

    #[test]
    fn a_projector_of_half_the_speed_falls_behind_by_half() {
        assert!((seen(|due| due).lag_growth() - 0.5).abs() < 0.02);
    }

    #[test]
    fn percentiles_of_what_is_known() {
        let percentiles = seen(|due| due / 10).percentiles().unwrap();
        for (is, should) in [(percentiles.p50_ms, 500.0), (percentiles.p99_ms, 990.0), (percentiles.max_ms, 1_000.0)] {
            assert!((is - should).abs() < should / 500.0, "{is} for {should}");
        }
    }
}
