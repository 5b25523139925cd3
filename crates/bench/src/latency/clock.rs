//! One clock for sender and reader: microseconds since 1970, counted from one look at the system's clock.

use std::time::{Duration, Instant, SystemTime};

/// The clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    origin_us: u64,
}

impl Clock {
    /// From now on.
    pub fn start() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { origin: Instant::now(), origin_us: since_1970.as_micros() as u64 }
    }

    /// The time, in microseconds.
    pub fn now(&self) -> u64 {
        self.origin_us + self.origin.elapsed().as_micros() as u64
    }

    /// How long it is until a time; zero if it has passed.
    pub fn until(&self, time: u64) -> Duration {
        Duration::from_micros(time.saturating_sub(self.now()))
    }

    /// Whether a stamp was made by this clock.
    pub fn made(&self, stamp: u64) -> bool {
        stamp >= self.origin_us
    }
}
