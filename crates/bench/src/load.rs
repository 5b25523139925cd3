//! Fills the commands topic.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use partyline_log::Backend as _;
use partyline_wire::partition_of;
use rdkafka::{
    ClientContext, Message as _,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};

use crate::{
    args::{self, Log},
    cluster,
    figures::Figures,
    workload::{Workload, texts},
};

/// How long the last records may take.
const FLUSH: Duration = Duration::from_secs(60);

struct Loud;

impl ClientContext for Loud {}

impl ProducerContext for Loud {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            eprintln!("a record of {} was not taken: {error}", message.topic());
        }
    }
}

/// Makes the topics of a fresh log and fills it.
///
/// # Errors
/// If the log exists or cannot be written to.
pub fn load(log: &Log, args: &args::Workload) -> anyhow::Result<Figures> {
    let kafka = cluster::connect(log)?;
    cluster::create_topics(&kafka, args.partitions)?;
    let mut workload = Workload::new(args, texts()?);
    let producer: BaseProducer<Loud> = cluster::config(
        log,
        &[
            ("enable.idempotence", "true"),
            ("compression.type", "lz4"),
            ("linger.ms", "20"),
            ("batch.num.messages", "100000"),
            ("batch.size", "1000000"),
            ("queue.buffering.max.messages", "200000"),
            ("delivery.report.only.error", "true"),
        ],
    )
    .create_with_context(Loud)
    .context("making a producer")?;
    let topic = &kafka.topics().commands;
    let began = Instant::now();
    let mut value = Vec::new();
    for _ in 0..args.commands {
        value.clear();
        let key = workload.next(&mut value);
        let partition = i32::try_from(partition_of(key.as_bytes(), args.partitions))?;
        send(&producer, BaseRecord::to(topic).key(key).payload(&value).partition(partition))?;
    }
    producer.flush(FLUSH).context("flushing")?;
    let took = began.elapsed();
    let written: u64 = kafka.bounds(topic)?.iter().map(|of| of.end - of.begin).sum();
    anyhow::ensure!(written == args.commands, "{written} of {} commands were taken", args.commands);
    Ok(Figures::new(args.commands, 0, took))
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
        producer.poll(Duration::ZERO);
        thread::park_timeout(Duration::from_millis(1));
        record = again;
    }
    Ok(())
}
