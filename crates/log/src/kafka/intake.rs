//! The projector's end of the log: a static member of the group, and the transactions of its committer.
//!
//! A rebalance is noted inside `poll` and answered here, between two calls of `next`; librdkafka goes on with its
//! heartbeats meanwhile. Partitions are given up only after everything submitted is settled. What the group gives is
//! *held*; librdkafka reads it (has it *assigned*) from its first start. It is not assigned paused, because librdkafka
//! takes up to a second to notice that a partition goes on, nor given up to pause it: that could be taken for the
//! answer to a rebalance which is still on its way here.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    REQUEST,
    config::Settings,
    consume::Inflow,
    context::Context,
    error, gained,
    leaving::{Departure, Leaving},
    offsets,
    poll::{self, Contact, Sorted},
    predecessor::Predecessor,
    rebalances::{Rebalance, Rebalances},
    transaction::Transactions,
};
use crate::{Batch, Event, Gained, Intake, LogError, Offset, Partition, Records, Topics, committer::Committer};

/// A member of the group.
pub(super) type Member = BaseConsumer<Context<Rebalances>>;

/// A start that librdkafka was not ready for, or after which nothing comes, is seen to again this soon.
const RETRY: Duration = Duration::from_millis(10);

/// One projector in the group.
pub(super) struct GroupIntake {
    settings: Settings,
    topics: Topics,
    consumer: Arc<Member>,
    inflow: Inflow<Context<Rebalances>>,
    contact: Contact,
    committer: Committer,
    /// Until it has asked to be in the group.
    predecessor: Option<Predecessor>,
    held: BTreeMap<Partition, Held>,
    /// Given up with the next call of `next`; of these librdkafka has to let go.
    leaving: Option<Vec<Partition>>,
    joined: bool,
    /// Last, so that the last hold on the consumer is there and not here: dropping it may hang.
    departure: Departure,
}

/// A partition of this member.
struct Held {
    /// Everything below has been delivered.
    position: Offset,
    flow: Flow,
    /// Whether librdkafka has it.
    assigned: bool,
    /// Whether nothing has come since it was started: its end would have, if nothing else.
    silent: bool,
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
    /// Fences a predecessor of the same name. The first calls of `next` join the group.
    pub(super) fn join(settings: &Settings, topics: &Topics, member: &str) -> Result<Self, LogError> {
        let producers = Transactions::prepare_all(settings, topics, member)?;
        let consumer: Member = settings
            .member(&topics.group, member)
            .create_with_context(Context::default())
            .map_err(|e| error::failed("making a member of the group", &e))?;
        let consumer = Arc::new(consumer);
        let transactions = |producer| Transactions::new(producer, Arc::clone(&consumer), Arc::clone(&topics.commands));
        let committer = Committer::start(producers.into_iter().map(transactions).collect())?;
        Ok(Self {
            settings: settings.clone(),
            topics: topics.clone(),
            inflow: Inflow::new(Arc::clone(&consumer)),
            consumer,
            contact: Contact::new(),
            committer,
            predecessor: Some(Predecessor::of(member)),
            held: BTreeMap::new(),
            leaving: None,
            joined: false,
            departure: Departure::default(),
        })
    }

    /// Asks to be in the group, unless its predecessor has to be out of it first; then says how long to wait.
    fn ask_in(&mut self) -> Result<Option<Duration>, LogError> {
        let Some(predecessor) = &mut self.predecessor else { return Ok(None) };
        let wait = predecessor.wait(&self.consumer, &self.topics);
        if wait.is_none() {
            let asked = self.consumer.subscribe(&[&self.topics.commands]);
            asked.map_err(|e| error::failed("joining the group", &e))?;
            self.predecessor = None;
        }
        Ok(wait)
    }

    /// Takes up the oldest rebalance. It stays noted until that has worked.
    fn rebalance(&mut self) -> Result<Option<Event>, LogError> {
        let consumer = Arc::clone(&self.consumer);
        let rebalances = &consumer.context().own;
        let event = match rebalances.front() {
            None => return Ok(None),
            Some(Rebalance::Assign(partitions)) => {
                let gained = self.gain(&partitions)?;
                self.joined = true;
                (!gained.is_empty()).then_some(Event::Gained(gained))
            }
            Some(Rebalance::Revoke { partitions, .. }) if partitions.is_empty() => {
                self.leave(&[])?;
                None
            }
            Some(Rebalance::Revoke { partitions, lost }) => {
                self.leaving = Some(self.assigned(&partitions));
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
        for partition in partitions {
            self.held.insert(*partition, Held { position: 0, flow: Flow::Paused, assigned: false, silent: true });
        }
        Ok(gained)
    }

    /// Which of these librdkafka has.
    fn assigned(&self, partitions: &[Partition]) -> Vec<Partition> {
        let assigned = |partition: &Partition| self.held.get(partition).is_some_and(|held| held.assigned);
        partitions.iter().copied().filter(assigned).collect()
    }

    /// Gives partitions up, after everything submitted is settled: from then on others may commit for them.
    fn leave(&mut self, assigned: &[Partition]) -> Result<(), LogError> {
        let settled = self.committer.settle();
        let list = offsets::tpl(&self.topics.commands, assigned.iter().copied());
        self.consumer.incremental_unassign(&list).map_err(|e| error::failed("giving partitions up", &e))?;
        settled
    }

    fn is_starting(&self) -> bool {
        self.held.values().any(|held| held.flow == Flow::Starting)
    }

    /// Starts what is to start. Not while an answer to a rebalance is due: an assignment would be taken for that.
    fn start_waiting(&mut self) -> Result<(), LogError> {
        if !self.is_starting() || self.consumer.context().own.waiting() || self.consumer.assignment_lost() {
            return Ok(());
        }
        for assigned in [false, true] {
            let mut list = TopicPartitionList::new();
            let due = |held: &Held| held.flow == Flow::Starting && held.assigned == assigned;
            for (partition, held) in self.held.iter().filter(|(_, held)| due(held)) {
                self.draw(*partition).map_err(not_started)?;
                let (partition, offset) = (offsets::native(*partition), offsets::at(held.position));
                list.add_partition_offset(&self.topics.commands, partition, offset).map_err(not_started)?;
            }
            if list.count() > 0 {
                let started = self.read_from(list, assigned).map_err(not_started)?;
                for partition in started {
                    if let Some(held) = self.held.get_mut(&partition) {
                        (held.flow, held.assigned, held.silent) = (Flow::Running, true, true);
                    }
                }
            }
        }
        Ok(())
    }

    /// Lets librdkafka read these partitions from these offsets; says which of them it was ready for.
    fn read_from(&self, list: TopicPartitionList, assigned: bool) -> Result<Vec<Partition>, KafkaError> {
        // First, so that what follows wakes it up. It remembers a pause even of partitions that were away meanwhile.
        self.consumer.resume(&list)?;
        let list = if assigned {
            self.consumer.seek_partitions(list, REQUEST)?
        } else {
            self.consumer.incremental_assign(&list)?;
            list
        };
        let mut ready = Vec::new();
        for element in list.elements() {
            match element.error().map_err(|e| (e.rdkafka_error_code(), e)) {
                // Still coming or going: later.
                Err((Some(RDKafkaErrorCode::State | RDKafkaErrorCode::PreviousInProgress), _)) => {}
                Err((_, failure)) if assigned => return Err(failure),
                // Before it is assigned, librdkafka may not know a partition to resume.
                _ => ready.extend(Partition::try_from(element.partition())),
            }
        }
        Ok(ready)
    }

    /// Takes the records that are ready, until the buffer has enough; waits for the first, or while no partition delivers,
    /// for what the group says.
    fn gather(&mut self, into: &mut Records, wait: Duration) -> Result<(), LogError> {
        let delivers = self.held.values().any(|held| held.flow == Flow::Running);
        let mut came = poll::serve(&self.consumer, if delivers { Duration::ZERO } else { wait })?;
        let mut failed = None;
        if delivers {
            let wait = if self.draw_silent()? { wait.min(RETRY) } else { wait };
            let Self { inflow, held, .. } = self;
            came |= inflow.take(wait, |taken| {
                match poll::sort(taken) {
                    // What was fetched for a partition that is gone is not for the caller.
                    Ok(Sorted::Record(partition, offset)) => {
                        if let Some(held) = running(held, partition).filter(|held| offset >= held.position) {
                            (held.position, held.silent) = (offset + 1, false);
                            // Commands have no headers that anybody reads.
                            poll::keep(into, partition, offset, taken, &[]);
                        }
                    }
                    Ok(Sorted::End(partition, end)) => {
                        if let Some(held) = running(held, partition) {
                            (held.position, held.silent) = (end.max(held.position), false);
                        }
                    }
                    Ok(Sorted::Nothing) => {}
                    Err(failure) => failed = Some(failure),
                }
                poll::go_on(into, failed.is_some())
            });
        }
        self.contact.note(came);
        failed.map_or(Ok(()), Err)
    }

    /// Draws partitions once more that nothing has come of since their start. Whether there are any.
    fn draw_silent(&self) -> Result<bool, LogError> {
        let mut silent = self.held.iter().filter(|(_, held)| held.flow == Flow::Running && held.silent).peekable();
        let any = silent.peek().is_some();
        silent.try_for_each(|(partition, _)| self.draw(*partition)).map_err(not_started)?;
        Ok(any)
    }

    fn draw(&self, partition: Partition) -> Result<(), KafkaError> {
        self.inflow.draw(&self.topics.commands, offsets::native(partition))
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
                *partitions = self.assigned(partitions);
            }
            unanswered.push(rebalance);
        }
        unanswered
    }
}

fn running(held: &mut BTreeMap<Partition, Held>, partition: Partition) -> Option<&mut Held> {
    held.get_mut(&partition).filter(|held| held.flow == Flow::Running)
}

fn not_held(partition: Partition) -> LogError {
    LogError::Refused(format!("partition {partition} is not held"))
}

fn not_started(failure: KafkaError) -> LogError {
    error::failed("starting a partition", &failure)
}

impl Intake for GroupIntake {
    fn next(&mut self, into: &mut Records, wait: Duration) -> Result<Event, LogError> {
        into.clear();
        self.committer.committed().map_err(|e| self.explained(e))?;
        if let Some(assigned) = self.leaving.take() {
            self.leave(&assigned)?;
        }
        if let Some(before) = self.ask_in()? {
            poll::serve(&self.consumer, before.min(wait))?;
            return Ok(Event::Idle);
        }
        let deadline = Instant::now() + wait;
        loop {
            if let Some(event) = self.rebalance()? {
                return Ok(event);
            }
            self.start_waiting()?;
            let left = deadline.saturating_duration_since(Instant::now());
            self.gather(into, if self.is_starting() { left.min(RETRY) } else { left })?;
            if !into.is_empty() {
                return Ok(Event::Records);
            }
            if left.is_zero() && !self.consumer.context().own.waiting() {
                if self.contact.is_lost(&self.consumer, &self.topics.commands) {
                    return Err(LogError::Unreachable("no broker is heard any more".to_owned()));
                }
                return Ok(Event::Idle);
            }
        }
    }

    fn has_joined(&self) -> bool {
        self.joined
    }

    fn start(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        let held = self.held.get_mut(&partition).ok_or_else(|| not_held(partition))?;
        (held.position, held.flow) = (offset, Flow::Starting);
        self.start_waiting()
    }

    fn pause(&mut self, partition: Partition) -> Result<(), LogError> {
        let held = self.held.get_mut(&partition).ok_or_else(|| not_held(partition))?;
        held.flow = Flow::Paused;
        if !held.assigned {
            return Ok(());
        }
        let list = offsets::tpl(&self.topics.commands, [partition]);
        self.consumer.pause(&list).map_err(|e| error::failed("pausing a partition", &e))
    }

    fn position(&self, partition: Partition) -> Offset {
        self.held.get(&partition).map_or(0, |held| held.position)
    }

    fn write(&mut self, part: &mut Batch) -> Result<(), LogError> {
        self.committer.write(part).map_err(|e| self.explained(e))
    }

    fn submit(&mut self, batch: &mut Batch) -> Result<(), LogError> {
        self.committer.submit(batch).map_err(|e| self.explained(e))
    }

    fn committed(&mut self) -> Result<u64, LogError> {
        self.committer.committed().map_err(|e| self.explained(e))
    }

    fn is_ready_within(&mut self, wait: Duration) -> Result<bool, LogError> {
        self.committer.is_ready_within(wait).map_err(|e| self.explained(e))
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
        self.departure = Departure(Some(Leaving {
            consumer: Arc::clone(&self.consumer),
            topic: Arc::clone(&self.topics.commands),
            unanswered,
            threads: self.committer.stop(),
        }));
    }
}
