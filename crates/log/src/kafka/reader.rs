//! Reading one topic from given offsets, in no group. A client that has lost all brokers is replaced.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Message, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};

use super::{
    config::Settings,
    context::Context,
    error, offsets,
    poll::{self, Contact, Polled},
};
use crate::{Bounds, LogError, Offset, Partition, Reader, Records, Topics};

/// A reader of one topic.
pub(super) struct TopicReader {
    settings: Settings,
    group: Arc<str>,
    topic: Arc<str>,
    /// Whether its records have headers that matter: to look for some costs more than to copy a record.
    has_headers: bool,
    /// `None` only while it is dropped.
    consumer: Option<Arc<BaseConsumer<Context>>>,
    contact: Contact,
    positions: BTreeMap<Partition, Offset>,
}

impl TopicReader {
    /// Starts reading. The group is only a name here: nothing is committed and nobody joins.
    pub(super) fn new(
        settings: &Settings,
        topics: &Topics,
        topic: &str,
        from: &[(Partition, Offset)],
    ) -> Result<Self, LogError> {
        let mut reader = Self {
            settings: settings.clone(),
            group: topics.group.as_str().into(),
            topic: topic.into(),
            has_headers: *topic == *topics.dead_letters,
            consumer: None,
            contact: Contact::new(),
            positions: from.iter().copied().collect(),
        };
        reader.consumer = Some(reader.client()?);
        Ok(reader)
    }

    /// A client that reads on from the positions.
    fn client(&self) -> Result<Arc<BaseConsumer<Context>>, LogError> {
        let failed = |e| error::failed("making a reader", &e);
        let consumer: BaseConsumer<Context> =
            self.settings.reader(&self.group).create_with_context(Context::default()).map_err(failed)?;
        let mut list = TopicPartitionList::new();
        for (partition, offset) in &self.positions {
            list.add_partition_offset(&self.topic, offsets::native(*partition), offsets::at(*offset))
                .map_err(failed)?;
        }
        consumer.assign(&list).map_err(failed)?;
        Ok(Arc::new(consumer))
    }

    /// Whether there is any record before the end of a partition that is read from its begin.
    pub(super) fn any_below(mut self, bounds: Bounds, patience: Duration) -> Result<bool, LogError> {
        let deadline = Instant::now() + patience;
        let mut records = Records::default();
        while self.position(bounds.partition) < bounds.end {
            if Instant::now() > deadline {
                return Err(LogError::Unreachable(format!("a topic could not be read within {patience:?}")));
            }
            self.next(&mut records, Duration::from_millis(100))?;
            if !records.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Reader for TopicReader {
    fn next(&mut self, into: &mut Records, wait: Duration) -> Result<(), LogError> {
        into.clear();
        let Some(consumer) = self.consumer.clone() else { return Ok(()) };
        let deadline = Instant::now() + wait;
        let mut wait = wait;
        while into.len() < poll::MAX_RECORDS && into.bytes() < poll::MAX_BYTES {
            let polled = poll::poll(&consumer, wait)?;
            self.contact.note(&polled);
            match polled {
                Polled::Record(message) => {
                    let at = (Partition::try_from(message.partition()), Offset::try_from(message.offset()));
                    let (Ok(partition), Ok(offset)) = at else { continue };
                    let Some(position) = self.positions.get_mut(&partition) else { continue };
                    // A fetch starts at a batch's start; never step back, whatever comes.
                    if offset >= *position {
                        *position = offset + 1;
                        let headers = if self.has_headers { poll::headers(&message) } else { Vec::new() };
                        poll::keep(into, partition, offset, &message, &headers);
                    }
                    wait = Duration::ZERO;
                }
                Polled::End(partition, end) => {
                    if let Some(position) = self.positions.get_mut(&partition) {
                        *position = end.max(*position);
                    }
                    // The caller may be waiting for just this.
                    wait = Duration::ZERO;
                }
                Polled::Nothing if wait.is_zero() => break,
                Polled::Nothing => wait = deadline.saturating_duration_since(Instant::now()),
            }
        }
        if into.is_empty() && self.contact.is_lost(&consumer, &self.topic) {
            tracing::warn!(topic = &*self.topic, "no broker is heard any more; reading on with a new client");
            let lost = self.consumer.replace(self.client()?);
            self.contact = Contact::new();
            poll::let_go((lost, consumer));
        }
        Ok(())
    }

    fn position(&self, partition: Partition) -> Offset {
        self.positions.get(&partition).copied().unwrap_or_default()
    }
}

impl Drop for TopicReader {
    fn drop(&mut self) {
        poll::let_go(self.consumer.take());
    }
}
