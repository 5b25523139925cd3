//! Fills the commands topic.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use partyline_log::{Backend as _, kafka::Kafka};
use partyline_wire::partition_of;
use rdkafka::{
    ClientContext, Message as _,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};

use crate::{
    args::{self, Setup},
    cluster,
    figures::{Measured, Meter},
    workload::{Key, Workload, texts},
};

/// How long the last records may take.
const FLUSH: Duration = Duration::from_secs(60);

/// Says which records were not taken, and counts them.
#[derive(Default)]
pub struct Loud {
    refused: AtomicU64,
}

impl ClientContext for Loud {}

impl ProducerContext for Loud {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            self.refused.fetch_add(1, Ordering::AcqRel);
            eprintln!("a record of {} was not taken: {error}", message.topic());
        }
    }
}

/// Makes the topics of a fresh log and fills it.
///
/// # Errors
/// If the log exists or cannot be written to.
pub fn load(setup: &Setup, args: &args::Workload) -> anyhow::Result<Measured> {
    let kafka = cluster::connect(setup)?;
    cluster::create_topics(&kafka, args.mix.partitions)?;
    let mut workload = Workload::new(&args.mix, texts()?);
    let meter = Meter::start(setup)?;
    fill(setup, &kafka, args.commands, |value| workload.next(value))?;
    meter.stop(args.commands, 0)
}

/// Appends so many commands, each made by `next`, which says its key.
///
/// # Errors
/// If one of them was not taken.
pub fn fill(setup: &Setup, kafka: &Kafka, count: u64, mut next: impl FnMut(&mut Vec<u8>) -> Key) -> anyhow::Result<()> {
    let topic = &kafka.topics().commands;
    let partitions = kafka.partitions(topic)?.with_context(|| format!("there is no topic {topic}"))?;
    let producer = producer(setup)?;
    let mut value = Vec::new();
    for _ in 0..count {
        value.clear();
        let key = next(&mut value);
        let partition = i32::try_from(partition_of(key.as_bytes(), partitions))?;
        send(&producer, BaseRecord::to(topic).key(&*key).payload(&value).partition(partition))?;
    }
    producer.flush(FLUSH).context("flushing")?;
    let refused = producer.context().refused.load(Ordering::Acquire);
    anyhow::ensure!(refused == 0, "{refused} of {count} commands were not taken");
    Ok(())
}

fn producer(setup: &Setup) -> anyhow::Result<BaseProducer<Loud>> {
    let properties = [
        ("enable.idempotence", "true"),
        ("compression.type", "lz4"),
        ("linger.ms", "20"),
        ("batch.num.messages", "100000"),
        ("batch.size", "1000000"),
        ("queue.buffering.max.messages", "200000"),
        ("delivery.report.only.error", "true"),
    ];
    cluster::config(setup, &properties).create_with_context(Loud::default()).context("making a producer")
}

/// Sends a record, and waits while the queue is full.
///
/// # Errors
/// If it is refused.
pub fn send<C: ProducerContext<DeliveryOpaque = ()>, K: rdkafka::message::ToBytes + ?Sized>(
    producer: &BaseProducer<C>,
    mut record: BaseRecord<'_, K, Vec<u8>>,
) -> Result<(), KafkaError> {
    while let Err((error, again)) = producer.send(record) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
            return Err(error);
        }
        pause(producer);
        record = again;
    }
    Ok(())
}

/// Serves what has come for a producer, and waits. Not by polling for a millisecond, because rust-rdkafka's poll spins
/// through the last one.
pub fn pause<C: ProducerContext<DeliveryOpaque = ()>>(producer: &BaseProducer<C>) {
    producer.poll(Duration::ZERO);
    thread::park_timeout(Duration::from_millis(1));
}
