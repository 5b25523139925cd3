//! How long the projectors' group needs to commit all that is in the log, as the broker says.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, ensure};
use partyline_log::{Backend as _, Bounds, kafka::Kafka};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::{
    args::Setup,
    cluster::{self, REQUEST},
};

/// Between two looks, each of which costs the broker a request: a quarter of the time that what is left will take.
const LOOKS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(200));
/// Longer than this nothing may stand still.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What is in the log now, for the group to commit.
pub struct Lag {
    /// Looks at what is committed whatever is under way; the log's own questions would wait for that.
    consumer: BaseConsumer,
    topic: Arc<str>,
    bounds: Vec<Bounds>,
}

impl Lag {
    /// Of this log.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub fn of(setup: &Setup, kafka: &Kafka) -> anyhow::Result<Self> {
        let topics = kafka.topics();
        let properties = [("group.id", &*topics.group), ("isolation.level", "read_uncommitted")];
        let consumer = cluster::config(setup, &properties).create().context("making a consumer")?;
        Ok(Self { consumer, topic: Arc::clone(&topics.commands), bounds: kafka.bounds(&topics.commands)? })
    }

    /// In records.
    fn now(&self) -> anyhow::Result<u64> {
        let mut list = TopicPartitionList::new();
        for of in &self.bounds {
            list.add_partition(&self.topic, i32::try_from(of.partition)?);
        }
        let list = self.consumer.committed_offsets(list, REQUEST).context("what is committed")?;
        let left = |of: &Bounds| {
            let committed = list.find_partition(&self.topic, i32::try_from(of.partition)?);
            let committed = match committed.map(|element| element.offset()) {
                Some(Offset::Offset(at)) => u64::try_from(at)?,
                _ => of.begin,
            };
            anyhow::Ok(of.end.saturating_sub(committed))
        };
        self.bounds.iter().map(left).sum()
    }

    /// Waits until there is none. `false` if there is some once `goes_on` says no.
    ///
    /// # Errors
    /// If the log cannot be asked, `goes_on` fails, or nothing is committed for a long time.
    pub fn wait(&self, mut goes_on: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<bool> {
        let began = Instant::now();
        let all: u64 = self.bounds.iter().map(|of| of.end - of.begin).sum();
        let (mut left, mut moved) = (all, began);
        loop {
            thread::park_timeout(pause(all - left, left, began.elapsed()));
            // In this order: what it did last is seen, too.
            let goes_on = goes_on()?;
            let now = match self.now() {
                // A broker that is asked for the first time makes the topic of all positions before it can say any.
                Err(_) if goes_on && moved.elapsed() < PATIENCE => left,
                now => now?,
            };
            if now == 0 || !goes_on {
                return Ok(now == 0);
            }
            if now < left {
                (left, moved) = (now, Instant::now());
            }
            ensure!(moved.elapsed() < PATIENCE, "the projector stands still");
        }
    }
}

/// Until the next look.
fn pause(done: u64, left: u64, took: Duration) -> Duration {
    let (least, most) = LOOKS;
    took.mul_f64(left as f64 / (4 * done.max(1)) as f64).clamp(least, most)
}

/// Does what brings the group to the end of the log. How long that took, until everything was committed; and what it said
/// when it had ended, which is later.
///
/// # Errors
/// If it fails, or ends before.
pub fn none_after<R: Send>(
    setup: &Setup,
    kafka: &Kafka,
    work: impl FnOnce() -> anyhow::Result<R> + Send,
) -> anyhow::Result<(Duration, R)> {
    let lag = Lag::of(setup, kafka)?;
    let began = Instant::now();
    thread::scope(|scope| {
        let working = scope.spawn(work);
        let waited = lag.wait(|| Ok(!working.is_finished()));
        let took = began.elapsed();
        let said = working.join().map_err(|_| anyhow!("it panicked"))??;
        ensure!(waited?, "it ended before the end of the log");
        Ok((took, said))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_closer() {
        let second = Duration::from_secs(1);
        for (done, left, millis) in [(0, 1_000_000, 200), (100, 200, 200), (100, 40, 100), (100, 4, 10), (1_000, 1, 2)]
        {
            assert_eq!(pause(done, left, second), Duration::from_millis(millis), "{done} done, {left} left");
        }
    }
}
