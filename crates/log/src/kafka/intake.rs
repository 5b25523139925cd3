//! The projector's end of the log: a static member of the group, and the transactions of its committer.
//!
//! A rebalance is noted inside `poll` and answered here, between two calls of `next`; librdkafka goes on with its
//! heartbeats meanwhile. Partitions are given up only after everything submitted is settled. What the group gives is
//! *held*; librdkafka reads it (has it *assigned*) from start to pause. Its own pause and seek are not used: a paused
//! partition takes up to a second to go on.

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rdkafka::{
    Message, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};

use super::{
    committer::Committer,
    config::Settings,
    context::Context,
    error, gained, offsets,
    poll::{self, Polled},
    rebalances::{Rebalance, Rebalances},
    transaction::Transactions,
};
use crate::{Batch, Event, Gained, Intake, LogError, Offset, Partition, Records, Topics};

/// A member of the group.
pub(super) type Member = BaseConsumer<Context<Rebalances>>;

/// One projector in the group.
pub(super) struct GroupIntake {
    settings: Settings,
    topics: Topics,
    consumer: Arc<Member>,
    committer: Committer,
    held: BTreeMap<Partition, Held>,
    /// Given up with the next call of `next`; of these librdkafka has to let go.
    leaving: Option<Vec<Partition>>,
}

/// A partition of this member.
struct Held {
    /// Everything below has been delivered.
    position: Offset,
    flow: Flow,
}

#[derive(PartialEq, Eq)]
enum Flow {
    /// Delivers nothing.
    Paused,
    /// Is to deliver.
    Starting,
    /// Delivers.
    Running,
}

impl GroupIntake {
    /// Fences a predecessor of the same name and joins the group.
    pub(super) fn join(settings: &Settings, topics: &Topics, member: &str) -> Result<Self, LogError> {
        let producer = Transactions::prepare(settings, topics, member)?;
        let consumer: Member = settings
            .member(&topics.group, member)
            .create_with_context(Context::default())
            .map_err(|e| error::failed("making a member of the group", &e))?;
        let consumer = Arc::new(consumer);
        let transactions = Transactions::new(producer, Arc::clone(&consumer), Arc::clone(&topics.commands));
        let committer = Committer::start(transactions)?;
        consumer.subscribe(&[&topics.commands]).map_err(|e| error::failed("joining the group", &e))?;
        Ok(Self {
            settings: settings.clone(),
            topics: topics.clone(),
            consumer,
            committer,
            held: BTreeMap::new(),
            leaving: None,
        })
    }

    /// Takes up the oldest rebalance. It stays noted until that has worked.
    fn rebalance(&mut self) -> Result<Option<Event>, LogError> {
        let consumer = Arc::clone(&self.consumer);
        let rebalances = &consumer.context().own;
        let event = match rebalances.front() {
            None => return Ok(None),
            Some(Rebalance::Assign(partitions)) => {
                let gained = self.gain(&partitions)?;
                (!gained.is_empty()).then_some(Event::Gained(gained))
            }
            Some(Rebalance::Revoke { partitions, .. }) if partitions.is_empty() => {
                self.leave(&[])?;
                None
            }
            Some(Rebalance::Revoke { partitions, lost }) => {
                let running = |partition: &Partition| self.running(*partition).is_some();
                self.leaving = Some(partitions.iter().copied().filter(running).collect());
                self.held.retain(|partition, _| !partitions.contains(partition));
                Some(if lost { Event::Lost(partitions) } else { Event::Losing(partitions) })
            }
        };
        rebalances.done();
        Ok(event)
    }

    fn gain(&mut self, partitions: &[Partition]) -> Result<Vec<Gained>, LogError> {
        let gained = gained::look(&self.settings, &self.topics, &self.consumer, partitions)?;
        // Takes them, but reads nothing yet.
        self.consumer
            .incremental_assign(&TopicPartitionList::new())
            .map_err(|e| error::failed("taking partitions", &e))?;
        self.held.extend(partitions.iter().map(|partition| (*partition, Held { position: 0, flow: Flow::Paused })));
        Ok(gained)
    }

    /// Gives partitions up, after everything submitted is settled: from then on others may commit for them.
    fn leave(&mut self, assigned: &[Partition]) -> Result<(), LogError> {
        let settled = self.committer.settle();
        self.unassign(assigned)?;
        settled
    }

    fn unassign(&self, partitions: &[Partition]) -> Result<(), LogError> {
        let list = offsets::tpl(&self.topics.commands, partitions.iter().copied());
        self.consumer.incremental_unassign(&list).map_err(|e| error::failed("giving partitions up", &e))
    }

    /// Whether the answer to a rebalance is due: then nothing else may be assigned, it would be taken for that.
    fn is_rebalancing(&self) -> bool {
        self.consumer.context().own.waiting() || self.consumer.assignment_lost()
    }

    /// Starts what is to start.
    fn start_waiting(&mut self) -> Result<(), LogError> {
        let failed = |e| error::failed("starting a partition", &e);
        let mut list = TopicPartitionList::new();
        for (partition, held) in self.held.iter().filter(|(_, held)| held.flow == Flow::Starting) {
            list.add_partition_offset(&self.topics.commands, offsets::native(*partition), offsets::at(held.position))
                .map_err(failed)?;
        }
        if list.count() == 0 || self.is_rebalancing() {
            return Ok(());
        }
        self.consumer.incremental_assign(&list).map_err(failed)?;
        for held in self.held.values_mut().filter(|held| held.flow == Flow::Starting) {
            held.flow = Flow::Running;
        }
        Ok(())
    }

    /// Takes records until none is ready, the buffer has enough, or a rebalance is noted; waits for the first.
    fn gather(&mut self, into: &mut Records, mut wait: Duration) -> Result<(), LogError> {
        let consumer = Arc::clone(&self.consumer);
        while into.len() < poll::MAX_RECORDS && into.bytes() < poll::MAX_BYTES {
            match poll::poll(&consumer, wait)? {
                Polled::Nothing => break,
                Polled::Record(message) => {
                    let at = (Partition::try_from(message.partition()), Offset::try_from(message.offset()));
                    let (Ok(partition), Ok(offset)) = at else { continue };
                    // What was fetched before a start or for a partition that is gone is not for the caller.
                    let Some(held) = self.running(partition).filter(|held| offset >= held.position) else { continue };
                    held.position = offset + 1;
                    poll::keep(into, partition, offset, &message);
                    wait = Duration::ZERO;
                }
                Polled::End(partition, end) => {
                    if let Some(held) = self.running(partition) {
                        held.position = end.max(held.position);
                    }
                }
            }
        }
        Ok(())
    }

    fn running(&mut self, partition: Partition) -> Option<&mut Held> {
        self.held.get_mut(&partition).filter(|held| held.flow == Flow::Running)
    }

    /// An error of ours, unless librdkafka knows a better one: that another process took this member's place.
    fn explained(&self, failure: LogError) -> LogError {
        match self.consumer.client().fatal_error() {
            Some((code, reason)) => error::from_code("in the group", code, reason),
            None => failure,
        }
    }

    /// What librdkafka waits to be answered, in its terms.
    fn unanswered(&mut self) -> Vec<Rebalance> {
        let left = self.leaving.take().map(|partitions| Rebalance::Revoke { partitions, lost: false });
        let mut unanswered = Vec::from_iter(left);
        let consumer = Arc::clone(&self.consumer);
        while let Some(mut rebalance) = consumer.context().own.front() {
            consumer.context().own.done();
            if let Rebalance::Revoke { partitions, .. } = &mut rebalance {
                partitions.retain(|partition| self.running(*partition).is_some());
            }
            unanswered.push(rebalance);
        }
        unanswered
    }
}

impl Intake for GroupIntake {
    fn next(&mut self, into: &mut Records, wait: Duration) -> Result<Event, LogError> {
        into.clear();
        self.committer.committed().map_err(|e| self.explained(e))?;
        if let Some(assigned) = self.leaving.take() {
            self.leave(&assigned)?;
        }
        let deadline = Instant::now() + wait;
        loop {
            if let Some(event) = self.rebalance()? {
                return Ok(event);
            }
            self.start_waiting()?;
            let left = deadline.saturating_duration_since(Instant::now());
            self.gather(into, left)?;
            if !into.is_empty() {
                return Ok(Event::Records);
            }
            if left.is_zero() && !self.consumer.context().own.waiting() {
                return Ok(Event::Idle);
            }
        }
    }

    fn start(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        self.pause(partition)?;
        self.held.insert(partition, Held { position: offset, flow: Flow::Starting });
        self.start_waiting()
    }

    fn pause(&mut self, partition: Partition) -> Result<(), LogError> {
        let Some(held) = self.held.get_mut(&partition) else {
            return Err(LogError::Refused(format!("partition {partition} is not held")));
        };
        if std::mem::replace(&mut held.flow, Flow::Paused) == Flow::Running {
            self.unassign(&[partition])?;
        }
        Ok(())
    }

    fn position(&self, partition: Partition) -> Offset {
        self.held.get(&partition).map_or(0, |held| held.position)
    }

    fn submit(&mut self, batch: Batch) -> Result<(), LogError> {
        self.committer.submit(batch).map_err(|e| self.explained(e))
    }

    fn committed(&mut self) -> Result<u64, LogError> {
        self.committer.committed().map_err(|e| self.explained(e))
    }

    fn settle(&mut self) -> Result<(), LogError> {
        self.committer.settle().map_err(|e| self.explained(e))
    }

    fn close(self: Box<Self>) -> Result<(), LogError> {
        self.committer.settle().map_err(|e| self.explained(e))
    }
}

impl Drop for GroupIntake {
    fn drop(&mut self) {
        self.consumer.context().own.close();
        let unanswered = self.unanswered();
        poll::let_go(Leaving {
            consumer: Arc::clone(&self.consumer),
            topic: Arc::clone(&self.topics.commands),
            unanswered,
            thread: self.committer.stop(),
        });
    }
}

/// The rest of an intake: leaves the group when it is dropped, after the transaction that is under way.
struct Leaving {
    consumer: Arc<Member>,
    topic: Arc<str>,
    unanswered: Vec<Rebalance>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Leaving {
    /// librdkafka leaves only when everything it asked for is answered.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        for rebalance in self.unanswered.drain(..) {
            let answer = match rebalance {
                Rebalance::Assign(_) => self.consumer.incremental_assign(&TopicPartitionList::new()),
                Rebalance::Revoke { partitions, .. } => {
                    self.consumer.incremental_unassign(&offsets::tpl(&self.topic, partitions))
                }
            };
            if let Err(failure) = answer {
                tracing::debug!("while leaving the group: {failure}");
            }
        }
    }
}
