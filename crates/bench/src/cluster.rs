//! Topics and clients. The clients here are librdkafka's own, without what partyline puts around them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use partyline_log::{
    Backend as _, Bounds, TopicKind, Topics,
    kafka::{Kafka, Options},
};
use pollster::block_on;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _, DefaultConsumerContext},
    error::RDKafkaErrorCode,
};

use crate::{args::Setup, consume::Inflow, workload::SERVICES};

/// How long a question to the brokers may take.
pub const REQUEST: Duration = Duration::from_secs(15);

/// Connects.
///
/// # Errors
/// If no broker answers.
pub fn connect(setup: &Setup) -> anyhow::Result<Arc<Kafka>> {
    let kafka = Kafka::connect(Options {
        bootstrap: setup.bootstrap.clone(),
        topics: Topics::new(&setup.prefix),
        properties: BTreeMap::new(),
        replication_factor: -1,
    })?;
    Ok(Arc::new(kafka))
}

/// Makes all topics of a log, and those of the limit.
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
    // What the limit writes, several times, is not compacted: the broker would be busy with that long after.
    wanted.extend(limit_topics(topics).map(|topic| (topic, TopicKind::Outcomes)));
    for (topic, kind) in wanted {
        anyhow::ensure!(
            kafka.create(&topic, kind, partitions)?,
            "there is a topic {topic} already: choose another --prefix"
        );
    }
    Ok(())
}

/// Where the limit writes: the views stay as the projector wrote them.
pub fn limit_topics(topics: &Topics) -> impl Iterator<Item = Arc<str>> {
    SERVICES.iter().map(|service| Arc::from(format!("{}.limit.{service}", topics.commands)))
}

/// Deletes all topics of a log: a long measurement would fill the disk.
///
/// # Errors
/// If the brokers refuse it.
pub fn delete_topics(setup: &Setup) -> anyhow::Result<()> {
    let kafka = connect(setup)?;
    let topics = kafka.list()?;
    let limits: Vec<_> = limit_topics(kafka.topics()).collect();
    let names: Vec<&str> = topics.iter().map(String::as_str).chain(limits.iter().map(|topic| &**topic)).collect();
    let admin: AdminClient<DefaultClientContext> = config(setup, &[]).create().context("connecting")?;
    let options = AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST));
    let results = block_on(admin.delete_topics(&names, &options)).context("deleting topics")?;
    let failed = results.into_iter().filter_map(Result::err);
    // Not every measurement makes them all.
    for (topic, code) in failed.filter(|(_, code)| *code != RDKafkaErrorCode::UnknownTopicOrPartition) {
        eprintln!("{topic} was not deleted: {code}");
    }
    Ok(())
}

/// A client's configuration with these properties.
pub fn config(setup: &Setup, properties: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &setup.bootstrap);
    for (name, value) in properties {
        config.set(*name, *value);
    }
    config
}

/// A consumer in no group that fetches ahead generously; with more properties.
///
/// # Errors
/// If it cannot be made.
pub fn consumer(setup: &Setup, properties: &[(&str, &str)]) -> anyhow::Result<Arc<BaseConsumer>> {
    let mut config = config(
        setup,
        &[
            ("group.id", &format!("{}.limit", setup.prefix)),
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
    );
    for (name, value) in properties {
        config.set(*name, *value);
    }
    Ok(Arc::new(config.create().context("making a consumer")?))
}

/// Begins to read a whole topic, with rust-rdkafka's own calls.
///
/// # Errors
/// If no broker answers.
pub fn assign(consumer: &BaseConsumer, topic: &str, bounds: &[Bounds]) -> anyhow::Result<()> {
    let mut list = TopicPartitionList::new();
    for of in bounds {
        let at = Offset::Offset(i64::try_from(of.begin)?);
        list.add_partition_offset(topic, i32::try_from(of.partition)?, at)?;
    }
    // An answer from a broker starts it at once; by itself it would look for one every 500 ms.
    consumer.fetch_metadata(Some(topic), REQUEST)?;
    Ok(consumer.assign(&list)?)
}

/// Begins to read a whole topic, many records at once.
///
/// # Errors
/// If no broker answers.
pub fn draw(
    consumer: &Arc<BaseConsumer>,
    topic: &str,
    bounds: &[Bounds],
) -> anyhow::Result<Inflow<DefaultConsumerContext>> {
    let inflow = Inflow::new(Arc::clone(consumer));
    bounds.iter().try_for_each(|of| anyhow::Ok(inflow.draw(topic, i32::try_from(of.partition)?)?))?;
    assign(consumer, topic, bounds)?;
    Ok(inflow)
}
