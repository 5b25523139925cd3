//! Reading one topic from given offsets, in no group. A client that has lost all brokers is replaced.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};

use super::{
    config::Settings,
    consume::Inflow,
    context::Context,
    error, offsets,
    poll::{self, Contact, Sorted},
};
use crate::{Bounds, LogError, Offset, Partition, Reader, Records, Topics};

/// What it reads with. Dropped in this order, so that the last hold on the consumer is its own.
struct Client {
    inflow: Inflow<Context>,
    consumer: Arc<BaseConsumer<Context>>,
}

/// A reader of one topic.
pub(super) struct TopicReader {
    settings: Settings,
    group: Arc<str>,
    topic: Arc<str>,
    /// Whether its records have headers that matter: to look for some costs more than to copy a record.
    has_headers: bool,
    /// `None` only while it is dropped.
    client: Option<Client>,
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
            client: None,
            contact: Contact::new(),
            positions: from.iter().copied().collect(),
        };
        reader.client = Some(reader.client()?);
        Ok(reader)
    }

    /// A client that reads on from the positions.
    fn client(&self) -> Result<Client, LogError> {
        let failed = |e| error::failed("making a reader", &e);
        let consumer: BaseConsumer<Context> =
            self.settings.reader(&self.group).create_with_context(Context::default()).map_err(failed)?;
        let consumer = Arc::new(consumer);
        let inflow = Inflow::new(Arc::clone(&consumer));
        let mut list = TopicPartitionList::new();
        for (partition, offset) in &self.positions {
            let partition = offsets::native(*partition);
            inflow.draw(&self.topic, partition).map_err(failed)?;
            list.add_partition_offset(&self.topic, partition, offsets::at(*offset)).map_err(failed)?;
        }
        consumer.assign(&list).map_err(failed)?;
        Ok(Client { inflow, consumer })
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
        let Some(Client { inflow, consumer }) = &self.client else { return Ok(()) };
        let told = poll::serve(consumer, Duration::ZERO)?;
        let mut failed = None;
        let Self { positions, has_headers, .. } = self;
        let came = inflow.take(wait, |taken| {
            match poll::sort(taken) {
                Ok(Sorted::Record(partition, offset)) => {
                    // A fetch starts at a batch's start; never step back, whatever comes.
                    if let Some(position) = positions.get_mut(&partition).filter(|position| offset >= **position) {
                        *position = offset + 1;
                        let headers = if *has_headers { taken.headers() } else { Vec::new() };
                        poll::keep(into, partition, offset, taken, &headers);
                    }
                }
                Ok(Sorted::End(partition, end)) => {
                    if let Some(position) = positions.get_mut(&partition) {
                        *position = end.max(*position);
                    }
                }
                Ok(Sorted::Nothing) => {}
                Err(failure) => failed = Some(failure),
            }
            poll::go_on(into, failed.is_some())
        });
        if let Some(failure) = failed {
            return Err(failure);
        }
        self.contact.note(told || came);
        if into.is_empty() && self.contact.is_lost(consumer, &self.topic) {
            tracing::warn!(topic = &*self.topic, "no broker is heard any more; reading on with a new client");
            let lost = self.client.replace(self.client()?);
            self.contact = Contact::new();
            poll::let_go(lost);
        }
        Ok(())
    }

    fn position(&self, partition: Partition) -> Offset {
        self.positions.get(&partition).copied().unwrap_or_default()
    }
}

impl Drop for TopicReader {
    fn drop(&mut self) {
        poll::let_go(self.client.take());
    }
}
