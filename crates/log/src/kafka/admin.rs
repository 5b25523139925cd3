//! Topics: which there are, making them, comparing them with the contract.

use std::{
    thread,
    time::{Duration, Instant},
};

use pollster::block_on;
use rdkafka::{
    admin::{AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::RDKafkaErrorCode,
};

use super::{REQUEST, asking::Admin, error};
use crate::{LogError, TopicKind, TopicProblem, Topics};

/// How many partitions `topic` has; `None` if there is none such.
pub(super) fn partitions<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str) -> Result<Option<u32>, LogError> {
    let doing = || format!("asking for the topic {topic}");
    let metadata = consumer.fetch_metadata(Some(topic), REQUEST).map_err(|e| error::failed(&doing(), &e))?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
    match found.error().map(RDKafkaErrorCode::from) {
        None => Ok(u32::try_from(found.partitions().len()).ok().filter(|count| *count > 0)),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
        Some(code) => Err(error::from_code(&doing(), code, code.to_string())),
    }
}

/// The topics of this log, sorted.
pub(super) fn list<C: ConsumerContext>(consumer: &BaseConsumer<C>, ours: &Topics) -> Result<Vec<String>, LogError> {
    let metadata = consumer.fetch_metadata(None, REQUEST).map_err(|e| error::failed("listing the topics", &e))?;
    let names = metadata.topics().iter().filter(|topic| topic.error().is_none()).map(|topic| topic.name());
    let mut names: Vec<String> = names.filter(|name| ours.kind(name).is_some()).map(str::to_owned).collect();
    names.sort_unstable();
    Ok(names)
}

/// Creates a topic; `false` if it was there. Either way waits until a broker knows it: the controller knows it earlier.
pub(super) fn create<C: ConsumerContext>(
    admin: &Admin,
    consumer: &BaseConsumer<C>,
    topic: &str,
    kind: TopicKind,
    partitions: u32,
    replication_factor: i32,
) -> Result<bool, LogError> {
    let doing = format!("creating the topic {topic}");
    let count = i32::try_from(partitions).map_err(|_| LogError::Refused(format!("{doing}: too many partitions")))?;
    let mut new = NewTopic::new(topic, count, TopicReplication::Fixed(replication_factor));
    for (name, value) in kind.settings().iter().chain(kind.made_with()) {
        new = new.set(name, value);
    }
    let results = block_on(admin.create_topics([&new], &options())).map_err(|e| error::failed(&doing, &e))?;
    let made = match results.into_iter().next() {
        Some(Ok(_)) => true,
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => false,
        Some(Err((_, code))) => return Err(error::from_code(&doing, code, code.to_string())),
        None => return Err(LogError::Unreachable(format!("{doing}: no answer"))),
    };
    let deadline = Instant::now() + REQUEST;
    while self::partitions(consumer, topic)?.is_none() {
        if Instant::now() > deadline {
            return Err(LogError::Unreachable(format!("{doing}: the brokers do not know it after {REQUEST:?}")));
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    Ok(made)
}

/// What differs from the contract.
pub(super) fn check<C: ConsumerContext>(
    admin: &Admin,
    consumer: &BaseConsumer<C>,
    topic: &str,
    kind: TopicKind,
    expected: u32,
) -> Result<Vec<TopicProblem>, LogError> {
    let Some(found) = partitions(consumer, topic)? else { return Ok(vec![TopicProblem::Missing]) };
    let mut problems = Vec::new();
    if found != expected {
        problems.push(TopicProblem::Partitions { found, expected });
    }
    let doing = format!("reading the settings of {topic}");
    let results = block_on(admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options()))
        .map_err(|e| error::failed(&doing, &e))?;
    let resource = match results.into_iter().next() {
        Some(Ok(resource)) => resource,
        Some(Err(code)) => return Err(error::from_code(&doing, code, code.to_string())),
        None => return Err(LogError::Unreachable(format!("{doing}: no answer"))),
    };
    for (name, expected) in kind.settings() {
        let found = resource.get(name).and_then(|entry| entry.value.as_deref()).unwrap_or_default();
        if found != *expected {
            let (found, expected) = (found.to_owned(), (*expected).to_owned());
            problems.push(TopicProblem::Setting { name: (*name).to_owned(), found, expected });
        }
    }
    Ok(problems)
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST))
}
