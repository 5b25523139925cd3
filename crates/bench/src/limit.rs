//! The limit: what the Kafka client itself can do of the projector's job. Reads a command, writes as many rows of the
//! same sizes to the view topics, positions in the same transactions; no rules, no store, no group.
//!
//! Records are taken from librdkafka and rows handed to it many at once, as the projector does, or with rust-rdkafka's own
//! calls, which are for one at a time: what the client allows to whoever does not go round it.
//!
//! One thread reads ahead. Several write and commit, each some of the partitions: while one waits for its commit, another
//! sends. They are as far ahead of each other as memory reasonably allows.

// What the log hands its rows over with, so that the limit is not held up by more than that.
#[path = "../../log/src/kafka/produce.rs"]
mod produce;

use std::{
    collections::BTreeMap,
    io::Write as _,
    ops::ControlFlow,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use partyline_log::{Backend as _, Bounds, Record, Records};
use rdkafka::{
    ClientContext, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata, DefaultConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};

use self::produce::Lender;
use crate::{
    args::{self, Setup},
    cluster::{self, REQUEST},
    consume::Inflow,
    figures::{Measured, Meter},
    load::pause,
    read::PATIENCE,
};

/// Records that one thread hands to the other at once.
const CHUNK_RECORDS: usize = 4_096;
/// So long one call waits until everything is sent; what was refused, the commit says.
const STEP: Duration = Duration::from_millis(10);
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
    let consumer = cluster::consumer(setup, &[])?;
    let source = if args.one_by_one {
        cluster::assign(&consumer, topic, &bounds)?;
        Source::OneByOne(&consumer)
    } else {
        Source::Many(cluster::draw(&consumer, topic, &bounds)?)
    };
    let targets: Vec<String> = cluster::limit_topics(kafka.topics()).map(|topic| topic.to_string()).collect();
    let count = args.producers.min(u32::try_from(bounds.len())?);
    let (commands, rows) = thread::scope(|scope| {
        let (mut lanes, mut passing) = (Vec::new(), Vec::new());
        for lane in 0..count {
            let mut pass = Pass {
                lender: Lender::new(producer(setup, args, lane)?),
                group: consumer.group_metadata().context("no group")?,
                source: topic.to_owned(),
                targets: targets.clone(),
                args: args.clone(),
                rows_of_chunk: Rows::default(),
                positions: BTreeMap::new(),
                commands: 0,
                rows: 0,
            };
            let (full, chunks) = sync_channel(CHUNKS_AHEAD);
            lanes.push(full);
            passing.push(scope.spawn(move || pass.run(&chunks)));
        }
        // Dropped with its ends of the channels, so that those who wait there learn of its failure.
        let read = scope.spawn(move || read_ahead(&source, &bounds, lanes));
        let mut total = (0, 0);
        for pass in passing {
            let (commands, rows) = pass.join().map_err(|_| anyhow!("a producer panicked"))??;
            total = (total.0 + commands, total.1 + rows);
        }
        read.join().map_err(|_| anyhow!("the reader panicked"))??;
        anyhow::Ok(total)
    })?;
    meter.stop(commands, rows)
}

fn producer(setup: &Setup, args: &args::Limit, lane: u32) -> anyhow::Result<BaseProducer<Quiet>> {
    let mut config = cluster::config(setup, TUNED);
    for property in &args.properties {
        let (name, value) = property.split_once('=').with_context(|| format!("-X {property}: must be KEY=VALUE"))?;
        config.set(name, value);
    }
    config.set("transactional.id", format!("{}.limit.{lane}", setup.prefix));
    let producer: BaseProducer<Quiet> = config.create_with_context(Quiet).context("making a producer")?;
    producer.init_transactions(REQUEST)?;
    Ok(producer)
}

/// Where commands come from.
enum Source<'a> {
    Many(Inflow<DefaultConsumerContext>),
    OneByOne(&'a BaseConsumer),
}

impl Source<'_> {
    /// Visits what is there, and waits for the first of it. Takes no more once `visit` says so. Whether anything came.
    fn take(&self, mut visit: impl FnMut(anyhow::Result<Record<'_>>) -> ControlFlow<()>) -> anyhow::Result<bool> {
        match self {
            Self::Many(inflow) => Ok(inflow.take(PATIENCE, |taken| {
                visit(match taken.error() {
                    None => record(taken.partition(), taken.offset(), taken.key(), taken.value()),
                    Some(error) => Err(anyhow!("{error}: {}", taken.reason())),
                })
            })),
            Self::OneByOne(consumer) => {
                let Some(message) = consumer.poll(PATIENCE).transpose()? else { return Ok(false) };
                // There is no more to take in any case.
                let _ = visit(record(message.partition(), message.offset(), message.key(), message.payload()));
                Ok(true)
            }
        }
    }
}

fn record<'a>(
    partition: i32,
    offset: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
) -> anyhow::Result<Record<'a>> {
    let (partition, offset) = (u32::try_from(partition)?, u64::try_from(offset)?);
    Ok(Record { partition, offset, at_ms: 0, key, value, headers: &[] })
}

/// A partition's records always go the same lane.
fn read_ahead(source: &Source<'_>, bounds: &[Bounds], lanes: Vec<SyncSender<Records>>) -> anyhow::Result<()> {
    let mut left: u64 = bounds.iter().map(|of| of.end - of.begin).sum();
    let mut chunks: Vec<Records> = lanes.iter().map(|_| Records::default()).collect();
    while left > 0 {
        let mut taken = Ok(true);
        let came = source.take(|record| {
            left = left.saturating_sub(1);
            taken = record.map(|record| pass_on(record, &mut chunks, &lanes));
            if left > 0 && matches!(taken, Ok(true)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        anyhow::ensure!(came, "nothing more came");
        if !taken? {
            return Ok(());
        }
    }
    // Whoever is gone says why itself.
    lanes.iter().zip(chunks).for_each(|(full, chunk)| drop(full.send(chunk)));
    Ok(())
}

/// Adds a record to its lane's chunk, and hands that on once it is full; whether somebody takes it.
fn pass_on(record: Record<'_>, chunks: &mut [Records], lanes: &[SyncSender<Records>]) -> bool {
    let lane = record.partition as usize % lanes.len();
    let (Some(chunk), Some(full)) = (chunks.get_mut(lane), lanes.get(lane)) else { return true };
    chunk.push(record);
    chunk.len() < CHUNK_RECORDS || full.send(std::mem::take(chunk)).is_ok()
}

struct Pass {
    lender: Lender<Quiet, Pairs>,
    group: ConsumerGroupMetadata,
    source: String,
    targets: Vec<String>,
    args: args::Limit,
    rows_of_chunk: Rows,
    /// The next offset of each partition that it has had records of.
    positions: BTreeMap<u32, u64>,
    commands: u64,
    rows: u64,
}

/// Keys and values.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Rows that are not handed over yet.
#[derive(Default)]
struct Rows {
    /// Every service's has the same of a command.
    of_commands: Pairs,
    /// Which of these go to a topic, by its place in the list of them, and partition.
    by_target: BTreeMap<(usize, u32), Vec<usize>>,
}

impl Pass {
    /// How many commands and rows it were.
    fn run(&mut self, chunks: &Receiver<Records>) -> anyhow::Result<(u64, u64)> {
        let mut open = 0;
        for chunk in chunks {
            if open == 0 {
                self.lender.producer().begin_transaction()?;
            }
            chunk.iter().try_for_each(|record| self.pass(record))?;
            if self.args.one_by_one {
                self.send()?
            } else {
                self.hand_over()?
            }
            open += chunk.len();
            if open >= self.args.transaction_commands {
                self.commit()?;
                open = 0;
            }
        }
        if open > 0 {
            self.commit()?;
        }
        Ok((self.commands, self.rows))
    }

    /// Makes a command's rows.
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
        let Rows { of_commands, by_target } = &mut self.rows_of_chunk;
        for row in self.rows..until {
            let target = (row as usize % self.targets.len(), record.partition);
            by_target.entry(target).or_default().push(of_commands.len());
        }
        of_commands.push((key, value));
        self.rows = until;
        self.positions.insert(record.partition, record.offset + 1);
        Ok(())
    }

    fn hand_over(&mut self) -> anyhow::Result<()> {
        let Rows { of_commands, by_target } = &mut self.rows_of_chunk;
        let at = self.lender.lent().len();
        self.lender.lend(std::mem::take(of_commands));
        for ((target, partition), rows) in by_target.iter_mut() {
            let topic = self.targets.get(*target).context("no such topic")?;
            let mut left = &**rows;
            while !left.is_empty() {
                let partition = i32::try_from(*partition)?;
                let taken = self.lender.hand_over(at, topic, partition, left, |pairs, row| {
                    pairs.get(*row).map_or((&[], &[]), |(key, value)| (key, value))
                })?;
                left = left.get(taken..).unwrap_or_default();
                if !left.is_empty() {
                    pause(self.lender.producer());
                }
            }
            rows.clear();
        }
        Ok(())
    }

    /// As `hand_over`, with rust-rdkafka's own call.
    fn send(&mut self) -> anyhow::Result<()> {
        let Rows { of_commands, by_target } = &mut self.rows_of_chunk;
        for ((target, partition), rows) in by_target.iter_mut() {
            let topic = self.targets.get(*target).context("no such topic")?;
            for (key, value) in rows.drain(..).filter_map(|row| of_commands.get(row)) {
                let record = BaseRecord::to(topic).partition(i32::try_from(*partition)?).key(key).payload(value);
                let mut sent = self.lender.producer().send(record);
                while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) = sent {
                    pause(self.lender.producer());
                    sent = self.lender.producer().send(record);
                }
                sent.map_err(|(error, _)| error)?;
            }
        }
        of_commands.clear();
        Ok(())
    }

    /// Waits until everything is out before it commits: rust-rdkafka's own flush would wait in steps of 100 ms.
    fn commit(&mut self) -> anyhow::Result<()> {
        while !self.lender.flush(STEP) {}
        self.lender.give_back();
        let mut list = TopicPartitionList::new();
        for (partition, position) in &self.positions {
            let at = Offset::Offset(i64::try_from(*position)?);
            list.add_partition_offset(&self.source, i32::try_from(*partition)?, at)?;
        }
        self.lender.producer().send_offsets_to_transaction(&list, &self.group, REQUEST)?;
        Ok(self.lender.producer().commit_transaction(REQUEST)?)
    }
}
