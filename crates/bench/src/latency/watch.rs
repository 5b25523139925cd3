//! Reads one view topic, committed rows only, and notes what came when.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use partyline_log::{Backend as _, kafka::Kafka};
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use super::{Clock, Flow, stamp};
use crate::{
    args::Setup,
    cluster::{self, REQUEST},
    lag::PATIENCE,
};

/// How long a poll waits before it looks whether everything is over.
const LOOK: Duration = Duration::from_millis(50);

/// When a row should have been sent and when it came, in microseconds of the [`Clock`].
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The command's scheduled time.
    pub due: u64,
    /// When its row was read.
    pub came: u64,
}

/// The reader.
pub struct Watch {
    consumer: BaseConsumer,
}

impl Watch {
    /// From the end of a service's topic on.
    ///
    /// # Errors
    /// If there is no such topic.
    pub fn open(setup: &Setup, kafka: &Kafka, service: &str) -> anyhow::Result<Self> {
        let topic = kafka.topics().view(service);
        let consumer: BaseConsumer = cluster::config(
            setup,
            &[
                ("group.id", &format!("{}.watch", setup.prefix)),
                ("isolation.level", "read_committed"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("fetch.queue.backoff.ms", "1"),
            ],
        )
        .create()
        .context("making a consumer")?;
        let mut list = TopicPartitionList::new();
        for of in kafka.bounds(&topic)? {
            let end = Offset::Offset(i64::try_from(of.end)?);
            list.add_partition_offset(&topic, i32::try_from(of.partition)?, end)?;
        }
        consumer.fetch_metadata(Some(&topic), REQUEST)?;
        consumer.assign(&list)?;
        Ok(Self { consumer })
    }

    /// Reads until everything that was sent has come, or nothing comes any more.
    ///
    /// # Errors
    /// If the topic cannot be read.
    pub fn run(&self, clock: Clock, flow: &Flow) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        let mut last = Instant::now();
        while !flow.is_done() && last.elapsed() < PATIENCE {
            if let Some(row) = self.next(clock, LOOK)? {
                rows.push(row);
                flow.seen.fetch_add(1, Ordering::AcqRel);
                last = Instant::now();
            }
        }
        Ok(rows)
    }

    /// The next row with a time of this clock, if one comes within `wait`.
    ///
    /// # Errors
    /// If the topic cannot be read.
    pub fn next(&self, clock: Clock, wait: Duration) -> anyhow::Result<Option<Row>> {
        let Some(message) = self.consumer.poll(wait) else { return Ok(None) };
        let due = message?.payload().and_then(stamp::sent_at).filter(|due| clock.made(*due));
        Ok(due.map(|due| Row { due, came: clock.now() }))
    }

    /// Waits for one such row.
    ///
    /// # Errors
    /// If none comes.
    pub fn wait(&self, clock: Clock) -> anyhow::Result<Row> {
        let began = Instant::now();
        loop {
            if let Some(row) = self.next(clock, LOOK)? {
                return Ok(row);
            }
            anyhow::ensure!(began.elapsed() < PATIENCE, "no row comes");
        }
    }

    /// Counts rows whose key begins with `prefix` until there are `count`; when the first and the last one came.
    ///
    /// # Errors
    /// If they do not come.
    pub fn count(&self, clock: Clock, prefix: &[u8], count: u64) -> anyhow::Result<(u64, u64)> {
        let (mut first, mut left) = (None, count);
        while left > 0 {
            let message = self.consumer.poll(PATIENCE).with_context(|| format!("{left} rows do not come"))??;
            if message.key().is_some_and(|key| key.starts_with(prefix)) {
                first.get_or_insert_with(|| clock.now());
                left -= 1;
            }
        }
        let now = clock.now();
        Ok((first.unwrap_or(now), now))
    }
}
