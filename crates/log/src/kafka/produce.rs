//! Hands many records of a topic's partition to a producer at once, without a copy of their values, and waits until all
//! are taken. rust-rdkafka hands over one at a time, and then each of them costs librdkafka a search for its topic and
//! several looks at the clock: as much as taking it; and it looks only every tenth of a second whether they are taken.
//!
//! Unsafe, as `consume` is: what rust-rdkafka does for one record, done for a slice of them.
#![allow(unsafe_code)]

use std::{ffi::CString, hint::black_box, ptr, sync::Arc, time::Duration};

use rdkafka::{
    bindings::{
        rd_kafka_flush, rd_kafka_last_error, rd_kafka_message_t, rd_kafka_produce_batch, rd_kafka_topic_destroy,
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

/// A producer that sends records from where they lie. Whatever holds them is lent to it, and cannot be changed or let go
/// of before they are sent.
pub(super) struct Lender<C: ProducerContext<DeliveryOpaque = ()>, R> {
    /// Dropped first: then nothing is read any more.
    producer: BaseProducer<C>,
    lent: Vec<Arc<R>>,
}

impl<C: ProducerContext<DeliveryOpaque = ()>, R: 'static> Lender<C, R> {
    pub(super) fn new(producer: BaseProducer<C>) -> Self {
        Self { producer, lent: Vec::new() }
    }

    pub(super) fn producer(&self) -> &BaseProducer<C> {
        &self.producer
    }

    /// Lends what holds some records.
    pub(super) fn lend(&mut self, what: R) {
        self.lent.push(Arc::new(what));
    }

    /// What is lent.
    pub(super) fn lent(&self) -> &[Arc<R>] {
        &self.lent
    }

    /// Gives everything back; nothing while a record is under way.
    pub(super) fn give_back(&mut self) -> Option<Vec<R>> {
        // The client's own count is also of what it has to say otherwise.
        if !self.flush(Duration::ZERO) {
            return None;
        }
        self.lent.drain(..).map(Arc::into_inner).collect()
    }

    /// Hands over records of one partition, in their order: `find` finds their keys, of which an empty one is none, and
    /// values in what is lent at `at`. Returns how many were taken: not all where the producer's queue is full.
    ///
    /// # Errors
    /// Why one was not taken, beside that.
    pub(super) fn hand_over<T>(
        &self,
        at: usize,
        topic: &str,
        partition: i32,
        records: &[T],
        find: impl for<'r> Fn(&'r R, &T) -> (&'r [u8], &'r [u8]),
    ) -> Result<usize, KafkaError> {
        let Some(lent) = self.lent.get(at) else { return Ok(0) };
        let topic = Topic::of(&self.producer, topic)?;
        let message = |record| {
            let (key, value) = find(lent, record);
            // librdkafka copies keys, and waits for each in its turn. Here several come at once.
            fetch(key);
            message(key, value)
        };
        let mut messages: Vec<_> = records.iter().map(message).collect();
        let count = i32::try_from(messages.len()).unwrap_or(i32::MAX);
        // SAFETY: client and topic live; there are `count` messages. Their keys and values are in what is lent, for they
        // live as long as any borrow of it, and are only read; it is neither changed nor dropped before none of them is
        // under way or the client is gone. No flag means that librdkafka reads values from there.
        let taken = unsafe { rd_kafka_produce_batch(topic.0, partition, 0, messages.as_mut_ptr(), count) };
        let refused = |message: &&rd_kafka_message_t| message.err != TAKEN && message.err != QUEUE_FULL;
        match messages.iter().find(refused) {
            Some(refused) => Err(KafkaError::MessageProduction(refused.err.into())),
            // Once its queue is full it takes none of those that follow.
            None => Ok(usize::try_from(taken).unwrap_or_default()),
        }
    }

    /// Sends what the producer has, whatever it lingers for, and waits up to `wait` until all of it is taken or refused.
    /// Says whether it is. Then serves what has come for the producer: until that is done, what was refused counts.
    pub(super) fn flush(&self, wait: Duration) -> bool {
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the client lives.
        let flushed = unsafe { rd_kafka_flush(self.producer.client().native_ptr(), wait_ms) };
        self.producer.poll(Duration::ZERO);
        flushed == TAKEN
    }
}

const TAKEN: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
const QUEUE_FULL: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR__QUEUE_FULL;

/// Has bytes come from memory, without waiting for them.
fn fetch(bytes: &[u8]) {
    black_box((bytes.first().copied(), bytes.last().copied()));
}

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
    use rdkafka::{
        ClientConfig,
        error::RDKafkaErrorCode,
        producer::{DefaultProducerContext, PurgeConfig},
    };

    use super::*;

    /// Nobody listens there, so that what is handed over stays.
    fn lender() -> Lender<DefaultProducerContext, Vec<Vec<u8>>> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1").set("queue.buffering.max.messages", "10");
        let mut lender = Lender::new(config.create().unwrap());
        lender.lend(vec![b"value".to_vec(), vec![0; 2 << 20]]);
        lender
    }

    fn hand_over(
        lender: &Lender<DefaultProducerContext, Vec<Vec<u8>>>,
        topic: &str,
        which: &[usize],
    ) -> Result<usize, KafkaError> {
        lender.hand_over(0, topic, 0, which, |lent, at| (b"key", lent[*at].as_slice()))
    }

    #[test]
    fn a_full_queue_takes_the_first_ones_and_no_more() {
        let lender = lender();
        let taken = [0, 7, 7, 1].map(|count| hand_over(&lender, "topic", &vec![0; count]).unwrap());
        assert_eq!(taken, [0, 7, 3, 0]);
    }

    #[test]
    fn what_is_lent_comes_back_when_nothing_is_under_way() {
        let mut lender = lender();
        let step = Duration::from_millis(1);
        assert!(lender.flush(step));
        assert_eq!(hand_over(&lender, "topic", &[0]).unwrap(), 1);
        lender.lend(Vec::new());
        assert!(!lender.flush(step) && lender.give_back().is_none() && lender.lent().len() == 2);
        lender.producer().purge(PurgeConfig::default().queue());
        while !lender.flush(step) {}
        let back = lender.give_back().unwrap();
        assert_eq!((back.len(), back.last(), lender.lent().len()), (2, Some(&Vec::new()), 0));
        assert_eq!(hand_over(&lender, "topic", &[0]).unwrap(), 0, "nothing is lent");
    }

    #[test]
    fn says_why_a_record_is_not_taken() {
        let lender = lender();
        let refused = hand_over(&lender, "topic", &[0, 1]).unwrap_err();
        assert_eq!(refused.rdkafka_error_code(), Some(RDKafkaErrorCode::MessageSizeTooLarge));
        assert!(hand_over(&lender, "a\0b", &[0]).is_err());
    }
}
