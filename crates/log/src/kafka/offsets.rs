//! Questions about offsets: where partitions begin and end, what the group has committed.

use std::time::Instant;

use rdkafka::{
    Offset as At, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{REQUEST, error};
use crate::{Bounds, Committed, LogError, Offset, Partition};

/// librdkafka's list of some partitions of `topic`.
pub(super) fn tpl(topic: &str, partitions: impl IntoIterator<Item = Partition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, native(partition));
    }
    list
}

/// Kafka's partition numbers are signed.
pub(super) fn native(partition: Partition) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// An offset for librdkafka.
pub(super) fn at(offset: Offset) -> At {
    At::Offset(i64::try_from(offset).unwrap_or(i64::MAX))
}

/// The bounds of `partitions`, in their order; `end` is the last stable offset.
pub(super) fn bounds<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[Partition],
) -> Result<Vec<Bounds>, LogError> {
    let begins = asked(consumer, topic, partitions, At::Beginning)?;
    let ends = asked(consumer, topic, partitions, At::End)?;
    let zipped = partitions.iter().zip(begins).zip(ends);
    Ok(zipped.map(|((partition, begin), end)| Bounds { partition: *partition, begin, end: end.max(begin) }).collect())
}

/// One request for all partitions of a broker: "the offset of this time", where the two ends stand for times.
fn asked<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[Partition],
    end: At,
) -> Result<Vec<Offset>, LogError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let doing = || format!("asking for the offsets of {topic}");
    let mut list = tpl(topic, partitions.iter().copied());
    list.set_all_offsets(end).map_err(|e| error::failed(&doing(), &e))?;
    let list = consumer.offsets_for_times(list, REQUEST).map_err(|e| error::failed(&doing(), &e))?;
    let found = |partition: &Partition| {
        let element = list.find_partition(topic, native(*partition));
        let element = element.ok_or_else(|| LogError::NoTopic(topic.to_owned()))?;
        element.error().map_err(|e| error::failed(&doing(), &e))?;
        match element.offset() {
            At::Offset(offset) => Ok(Offset::try_from(offset).unwrap_or(0)),
            other => Err(LogError::Unreachable(format!("{}: got {other:?}", doing()))),
        }
    };
    partitions.iter().map(found).collect()
}

/// The group's positions, from its coordinator. While a transaction that may change them is under way elsewhere, this
/// waits, at most until that one must have timed out.
pub(super) fn committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[Partition],
) -> Result<Vec<Option<Committed>>, LogError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let doing = "reading the group's positions";
    let deadline = Instant::now() + 2 * REQUEST;
    loop {
        let list = consumer.committed_offsets(tpl(topic, partitions.iter().copied()), REQUEST);
        match list.and_then(|list| partitions.iter().map(|partition| position(&list, topic, *partition)).collect()) {
            Ok(positions) => return Ok(positions),
            Err(e) if is_unstable(&e) && Instant::now() < deadline => {}
            Err(e) => return Err(error::failed(doing, &e)),
        }
    }
}

fn position(list: &TopicPartitionList, topic: &str, partition: Partition) -> Result<Option<Committed>, KafkaError> {
    let Some(element) = list.find_partition(topic, native(partition)) else { return Ok(None) };
    element.error()?;
    match element.offset() {
        At::Offset(offset) => {
            let next_offset = Offset::try_from(offset).unwrap_or(0);
            Ok(Some(Committed { next_offset, metadata: element.metadata().to_owned() }))
        }
        _ => Ok(None),
    }
}

fn is_unstable(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnstableOffsetCommit)
}
