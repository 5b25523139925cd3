//! Appending records: idempotent, acknowledged by all replicas.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rdkafka::{
    Message,
    error::RDKafkaErrorCode,
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext},
};

use super::{
    config::Settings,
    connect::connect,
    context::{Context, locked},
    error, offsets, poll,
};
use crate::{LogError, Offset, Partition, Publisher, Receipt};

/// So many records may be sent without their receipts being taken.
const MAX_OUTSTANDING_RECORDS: usize = 1_000_000;
/// So often a sender looks for receipts, so that librdkafka's queue of them stays short.
const POLL_EVERY_RECORDS: usize = 256;

/// Receipts that have come and nobody has taken yet.
#[derive(Default)]
pub(super) struct Receipts {
    ready: Mutex<Vec<Receipt>>,
}

impl ProducerContext for Context<Receipts> {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        let result = match result {
            Ok(message) => placed(message.partition(), message.offset()),
            Err((failure, _)) => Err(failure.rdkafka_error_code().map_or(failure.to_string(), |code| code.to_string())),
        };
        locked(&self.own.ready).push(Receipt { tag: tag as u64, result });
    }
}

fn placed(partition: i32, offset: i64) -> Result<(Partition, Offset), String> {
    match (Partition::try_from(partition), Offset::try_from(offset)) {
        (Ok(partition), Ok(offset)) => Ok((partition, offset)),
        _ => Err("the log did not say where it put the record".to_owned()),
    }
}

/// A producer of single records.
pub(super) struct RecordPublisher {
    /// `None` only while it is dropped.
    producer: Option<BaseProducer<Context<Receipts>>>,
    outstanding: usize,
    unpolled: usize,
}

impl RecordPublisher {
    /// Makes one; `topic` is any topic of this log.
    pub(super) fn new(settings: &Settings, topic: &str) -> Result<Self, LogError> {
        let producer: BaseProducer<Context<Receipts>> = settings
            .publisher()
            .create_with_context(Context::default())
            .map_err(|e| error::failed("making a producer", &e))?;
        // No answer is no harm: then the receipts say so.
        drop(connect(producer.client(), topic));
        Ok(Self { producer: Some(producer), outstanding: 0, unpolled: 0 })
    }

    fn producer(&self) -> Result<&BaseProducer<Context<Receipts>>, LogError> {
        self.producer.as_ref().ok_or_else(|| LogError::Refused("the publisher is closed".to_owned()))
    }

    /// Serves everything that has come: a poll serves one event.
    fn serve(producer: &BaseProducer<Context<Receipts>>) {
        let ready = || locked(&producer.context().own.ready).len();
        let mut before = ready();
        loop {
            producer.poll(Duration::ZERO);
            let now = ready();
            if now == before {
                return;
            }
            before = now;
        }
    }
}

impl Publisher for RecordPublisher {
    fn send(
        &mut self,
        tag: u64,
        topic: &Arc<str>,
        partition: Partition,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), LogError> {
        if self.outstanding >= MAX_OUTSTANDING_RECORDS {
            let text = format!("{MAX_OUTSTANDING_RECORDS} records were sent without taking their receipts");
            return Err(LogError::Refused(text));
        }
        let tag = usize::try_from(tag).map_err(|_| LogError::Refused(format!("the tag {tag} is too large")))?;
        let producer = self.producer()?;
        let mut record = BaseRecord::with_opaque_to(topic, tag).partition(offsets::native(partition)).payload(value);
        if !key.is_empty() {
            record = record.key(key);
        }
        // Records leave the queue in bounded time, taken or timed out, so waiting for room has an end.
        while let Err((failure, again)) = producer.send(record) {
            if failure.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error::delivery(topic, &failure));
            }
            poll::pause(producer, poll::STEP);
            record = again;
        }
        self.outstanding += 1;
        self.unpolled += 1;
        if self.unpolled >= POLL_EVERY_RECORDS {
            self.unpolled = 0;
            Self::serve(self.producer()?);
        }
        Ok(())
    }

    fn receipts(&mut self, wait: Duration) -> Result<Vec<Receipt>, LogError> {
        let producer = self.producer()?;
        let deadline = Instant::now() + wait;
        Self::serve(producer);
        while locked(&producer.context().own.ready).is_empty() && self.outstanding > 0 && Instant::now() < deadline {
            poll::pause(producer, poll::STEP);
        }
        let ready = std::mem::take(&mut *locked(&producer.context().own.ready));
        if !ready.is_empty() {
            producer.context().forget_problem();
        } else if self.outstanding > 0
            && let Some(refused) = producer.context().refusal()
        {
            return Err(refused);
        }
        self.outstanding = self.outstanding.saturating_sub(ready.len());
        Ok(ready)
    }

    fn outstanding(&self) -> usize {
        self.outstanding
    }
}

impl Drop for RecordPublisher {
    fn drop(&mut self) {
        poll::let_go(self.producer.take());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rdkafka::mocking::MockCluster;

    use super::*;

    /// librdkafka asks for what a producer needs every 500 ms.
    const AT_ONCE: Duration = Duration::from_millis(400);

    #[test]
    fn a_single_record_is_taken_at_once() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("topic", 1, 1).unwrap();
        let settings = Settings { bootstrap: cluster.bootstrap_servers(), properties: BTreeMap::new() };
        let takes = |_| {
            let begun = Instant::now();
            let mut publisher = RecordPublisher::new(&settings, "topic").unwrap();
            publisher.send(7, &"topic".into(), 0, b"key", b"value").unwrap();
            let receipts = publisher.receipts(Duration::from_secs(30)).unwrap();
            assert_eq!(receipts.iter().map(|receipt| receipt.tag).collect::<Vec<_>>(), [7]);
            begun.elapsed()
        };
        let mut took: Vec<_> = (0..9).map(takes).collect();
        took.sort();
        // One or two may be late for other reasons.
        assert!(took[6] < AT_ONCE, "{took:?}");
    }
}
