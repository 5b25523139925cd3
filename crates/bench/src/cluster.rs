//! Topics and clients. The clients here are librdkafka's own, without what partyline puts around them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use partyline_log::{
    Backend as _, Bounds, TopicKind, Topics,
    kafka::{Kafka, Options},
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::{args::Log, workload::SERVICES};

/// How long a question to the brokers may take.
pub const REQUEST: Duration = Duration::from_secs(15);

/// Connects.
///
/// # Errors
/// If no broker answers.
pub fn connect(log: &Log) -> anyhow::Result<Arc<Kafka>> {
    let kafka = Kafka::connect(Options {
        bootstrap: log.bootstrap.clone(),
        topics: Topics::new(&log.prefix),
        properties: BTreeMap::new(),
        replication_factor: -1,
    })?;
    Ok(Arc::new(kafka))
}

/// Makes all topics of a log.
///
/// # Errors
/// If there is one already: a measurement begins with an empty log.
pub fn create_topics(kafka: &Kafka, partitions: u32) -> anyhow::Result<()> {
    let topics = kafka.topics();
    let mut wanted = vec![
        (Arc::clone(&topics.commands), TopicKind::Commands),
        (Arc::clone(&topics.outcomes), TopicKind::Outcomes),
        (Arc::clone(&topics.dead_letters), TopicKind::DeadLetters),
    ];
    wanted.extend(SERVICES.iter().map(|service| (topics.view(service), TopicKind::View)));
    for (topic, kind) in wanted {
        anyhow::ensure!(
            kafka.create(&topic, kind, partitions)?,
            "there is a topic {topic} already: choose another --prefix"
        );
    }
    Ok(())
}

/// A client's configuration with these properties.
pub fn config(log: &Log, properties: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &log.bootstrap);
    for (name, value) in properties {
        config.set(*name, *value);
    }
    config
}

/// A consumer of the whole commands topic from its beginning, in no group, that fetches ahead generously.
///
/// # Errors
/// If it cannot be made.
pub fn consumer(log: &Log, topic: &str, bounds: &[Bounds]) -> anyhow::Result<BaseConsumer> {
    let consumer: BaseConsumer = config(
        log,
        &[
            ("group.id", &format!("{}.limit", log.prefix)),
            ("isolation.level", "read_committed"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("check.crcs", "false"),
            ("queued.min.messages", "500000"),
            ("queued.max.messages.kbytes", "131072"),
            ("fetch.message.max.bytes", "8388608"),
            ("fetch.max.bytes", "52428800"),
            ("fetch.queue.backoff.ms", "1"),
        ],
    )
    .create()
    .context("making a consumer")?;
    let mut list = TopicPartitionList::new();
    for of in bounds {
        list.add_partition_offset(topic, i32::try_from(of.partition)?, Offset::Offset(i64::try_from(of.begin)?))?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}
