//! The limit: what the Kafka client itself can do of the projector's job. Reads a command, writes as many rows of the
//! same sizes to the view topics, positions in the same transactions; no rules, no store, no group.
//!
//! One thread reads ahead, one writes and commits, as far ahead of each other as memory reasonably allows.

use std::{
    io::Write as _,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use partyline_log::{Backend as _, Bounds, Record, Records};
use rdkafka::{
    ClientContext, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};

use crate::{
    args::{self, Setup},
    cluster::{self, REQUEST},
    figures::{Measured, Meter},
    load::send,
    read::PATIENCE,
};

/// Records that one thread hands to the other at once.
const CHUNK_RECORDS: usize = 4_096;
/// Chunks that were read ahead.
const CHUNKS_AHEAD: usize = 16;

const TUNED: &[(&str, &str)] = &[
    ("delivery.report.only.error", "true"),
    ("queue.buffering.max.messages", "500000"),
    ("queue.buffering.max.kbytes", "262144"),
    ("batch.num.messages", "100000"),
    ("batch.size", "1000000"),
    ("linger.ms", "5"),
    // To a broker on the same machine, compressing costs more than it saves.
    ("compression.type", "none"),
    ("retry.backoff.ms", "10"),
];

struct Quiet;

impl ClientContext for Quiet {}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Passes the whole log through once.
///
/// # Errors
/// If the log cannot be read or a transaction fails.
pub fn limit(setup: &Setup, args: &args::Limit) -> anyhow::Result<Measured> {
    let meter = Meter::start(setup)?;
    let kafka = cluster::connect(setup)?;
    let topic = &*kafka.topics().commands;
    let bounds = kafka.bounds(topic)?;
    let consumer = cluster::consumer(setup, topic, &bounds, &[])?;
    let group = consumer.group_metadata().context("no group")?;
    let mut pass = Pass {
        producer: producer(setup, args)?,
        group,
        source: topic.to_owned(),
        targets: cluster::limit_topics(kafka.topics()).map(|topic| topic.to_string()).collect(),
        args: args.clone(),
        positions: bounds.iter().map(|of| of.begin).collect(),
        commands: 0,
        rows: 0,
    };
    let (full, chunks) = sync_channel(CHUNKS_AHEAD);
    thread::scope(|scope| {
        let reader = scope.spawn(move || read_ahead(&consumer, &bounds, &full));
        pass.run(&chunks)?;
        reader.join().map_err(|_| anyhow!("the reader panicked"))?
    })?;
    meter.stop(pass.commands, pass.rows)
}

fn producer(setup: &Setup, args: &args::Limit) -> anyhow::Result<BaseProducer<Quiet>> {
    let mut config = cluster::config(setup, TUNED);
    for property in &args.properties {
        let (name, value) = property.split_once('=').with_context(|| format!("-X {property}: must be KEY=VALUE"))?;
        config.set(name, value);
    }
    config.set("transactional.id", format!("{}.limit", setup.prefix));
    let producer: BaseProducer<Quiet> = config.create_with_context(Quiet).context("making a producer")?;
    producer.init_transactions(REQUEST)?;
    Ok(producer)
}

fn read_ahead(consumer: &BaseConsumer, bounds: &[Bounds], full: &SyncSender<Records>) -> anyhow::Result<()> {
    let mut left: u64 = bounds.iter().map(|of| of.end - of.begin).sum();
    while left > 0 {
        let mut chunk = Records::default();
        while chunk.len() < CHUNK_RECORDS && left > 0 {
            let wait = if chunk.is_empty() { PATIENCE } else { Duration::ZERO };
            let message = match consumer.poll(wait) {
                Some(message) => message?,
                None if chunk.is_empty() => bail!("nothing more came"),
                None => break,
            };
            left -= 1;
            chunk.push(Record {
                partition: u32::try_from(message.partition())?,
                offset: u64::try_from(message.offset())?,
                at_ms: 0,
                key: message.key(),
                value: message.payload(),
                headers: &[],
            });
        }
        if full.send(chunk).is_err() {
            break;
        }
    }
    Ok(())
}

struct Pass {
    producer: BaseProducer<Quiet>,
    group: ConsumerGroupMetadata,
    source: String,
    targets: Vec<String>,
    args: args::Limit,
    positions: Vec<u64>,
    commands: u64,
    rows: u64,
}

impl Pass {
    fn run(&mut self, chunks: &Receiver<Records>) -> anyhow::Result<()> {
        let mut open = 0;
        for chunk in chunks {
            if open == 0 {
                self.producer.begin_transaction()?;
            }
            chunk.iter().try_for_each(|record| self.pass(record))?;
            open += chunk.len();
            if open >= self.args.transaction_commands {
                self.commit()?;
                open = 0;
            }
        }
        if open > 0 { self.commit() } else { Ok(()) }
    }

    /// Writes a command's rows: every service's has the same key and value.
    fn pass(&mut self, record: Record<'_>) -> anyhow::Result<()> {
        let from = record.value.unwrap_or_default();
        let number = record.key.unwrap_or_default();
        let mut key = Vec::with_capacity(self.args.key_bytes.max(48));
        key.extend_from_slice(b"entry/");
        key.extend_from_slice(number);
        let width = self.args.key_bytes.saturating_sub(key.len() + 1);
        write!(key, "/{:0width$}", record.offset)?;
        let mut value = Vec::with_capacity(self.args.value_bytes);
        while value.len() < self.args.value_bytes && !from.is_empty() {
            let take = from.len().min(self.args.value_bytes - value.len());
            value.extend_from_slice(from.get(..take).unwrap_or_default());
        }
        self.commands += 1;
        // The fraction adds up to a row now and then.
        let until = (self.commands as f64 * self.args.rows) as u64;
        let partition = i32::try_from(record.partition)?;
        for row in self.rows..until {
            let target = &self.targets[row as usize % self.targets.len()];
            send(&self.producer, BaseRecord::to(target).partition(partition).key(&key).payload(&value))?;
        }
        self.rows = until;
        if let Some(position) = self.positions.get_mut(record.partition as usize) {
            *position = record.offset + 1;
        }
        Ok(())
    }

    /// Waits until everything is out before it commits: librdkafka's own flush would wait in steps of 100 ms. Not by
    /// polling for a millisecond, because rust-rdkafka's poll spins through the last one.
    fn commit(&self) -> anyhow::Result<()> {
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::ZERO);
            thread::park_timeout(Duration::from_millis(1));
        }
        let mut list = TopicPartitionList::new();
        for (partition, position) in self.positions.iter().enumerate() {
            let at = Offset::Offset(i64::try_from(*position)?);
            list.add_partition_offset(&self.source, i32::try_from(partition)?, at)?;
        }
        self.producer.send_offsets_to_transaction(&list, &self.group, REQUEST)?;
        Ok(self.producer.commit_transaction(REQUEST)?)
    }
}
