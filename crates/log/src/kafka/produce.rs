//! Hands many records of a topic's partition to a producer at once. rust-rdkafka hands over one at a time, and then each
//! of them costs librdkafka a search for its topic and several looks at the clock: as much as taking it.
//!
//! The only unsafe code here: what rust-rdkafka does for one record, done for a slice of them.
#![allow(unsafe_code)]

use std::{ffi::CString, ptr};

use rdkafka::{
    bindings::{
        RD_KAFKA_MSG_F_COPY, rd_kafka_last_error, rd_kafka_message_t, rd_kafka_produce_batch, rd_kafka_topic_destroy,
        rd_kafka_topic_new, rd_kafka_topic_t,
    },
    error::KafkaError,
    producer::{BaseProducer, Producer as _, ProducerContext},
    types::RDKafkaRespErr,
};

/// A topic, as a producer knows it.
struct Topic(*mut rd_kafka_topic_t);

impl Topic {
    fn of<C: ProducerContext>(producer: &BaseProducer<C>, name: &str) -> Result<Self, KafkaError> {
        let name = CString::new(name)?;
        // SAFETY: the client lives, the name ends with a zero, and no configuration means the client's.
        let topic = unsafe { rd_kafka_topic_new(producer.client().native_ptr(), name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() {
            // SAFETY: has no conditions.
            return Err(KafkaError::MessageProduction(unsafe { rd_kafka_last_error() }.into()));
        }
        Ok(Self(topic))
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: was made by `rd_kafka_topic_new`, and is given back once.
        unsafe { rd_kafka_topic_destroy(self.0) }
    }
}

/// Hands over records of one partition, in their order: keys, of which an empty one is none, and values. Returns how many
/// were taken: not all where the producer's queue is full.
///
/// # Errors
/// Why one was not taken, beside that.
pub(super) fn produce<'a, C: ProducerContext<DeliveryOpaque = ()>>(
    producer: &BaseProducer<C>,
    topic: &str,
    partition: i32,
    records: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<usize, KafkaError> {
    let topic = Topic::of(producer, topic)?;
    let mut messages: Vec<_> = records.map(|(key, value)| message(key, value)).collect();
    let count = i32::try_from(messages.len()).unwrap_or(i32::MAX);
    // SAFETY: client and topic live; there are `count` messages, whose keys and values live for 'a and are only read, as
    // librdkafka copies them before it returns.
    let taken =
        unsafe { rd_kafka_produce_batch(topic.0, partition, RD_KAFKA_MSG_F_COPY, messages.as_mut_ptr(), count) };
    let refused = |message: &&rd_kafka_message_t| message.err != TAKEN && message.err != QUEUE_FULL;
    match messages.iter().find(refused) {
        Some(refused) => Err(KafkaError::MessageProduction(refused.err.into())),
        // Once its queue is full it takes none of those that follow.
        None => Ok(usize::try_from(taken).unwrap_or_default()),
    }
}

const TAKEN: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
const QUEUE_FULL: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR__QUEUE_FULL;

fn message(key: &[u8], value: &[u8]) -> rd_kafka_message_t {
    rd_kafka_message_t {
        err: TAKEN,
        rkt: ptr::null_mut(),
        partition: 0,
        payload: value.as_ptr().cast_mut().cast(),
        len: value.len(),
        key: if key.is_empty() { ptr::null_mut() } else { key.as_ptr().cast_mut().cast() },
        key_len: key.len(),
        offset: 0,
        _private: ptr::null_mut(),
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::{ClientConfig, error::RDKafkaErrorCode};

    use super::*;

    /// Nobody listens there, so that what is handed over stays.
    fn producer() -> BaseProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1").set("queue.buffering.max.messages", "10");
        config.create().unwrap()
    }

    fn record(value: &[u8]) -> (&[u8], &[u8]) {
        (b"key", value)
    }

    #[test]
    fn a_full_queue_takes_the_first_ones_and_no_more() {
        let producer = producer();
        let hand_over = |count| produce(&producer, "topic", 0, std::iter::repeat_n(record(b"value"), count)).unwrap();
        assert_eq!([hand_over(0), hand_over(7), hand_over(7), hand_over(1)], [0, 7, 3, 0]);
    }

    #[test]
    fn says_why_a_record_is_not_taken() {
        let producer = producer();
        let large = vec![0; 2 << 20];
        let refused = produce(&producer, "topic", 0, [record(b"value"), record(&large)].into_iter()).unwrap_err();
        assert_eq!(refused.rdkafka_error_code(), Some(RDKafkaErrorCode::MessageSizeTooLarge));
        assert!(produce(&producer, "a\0b", 0, [record(b"value")].into_iter()).is_err());
    }
}
