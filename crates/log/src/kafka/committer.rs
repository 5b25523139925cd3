//! The thread that owns the transactional producer: one transaction after the other, in the order given.
//!
//! A transaction that fails ends it: nothing given later is committed, and every later call says why. One exception:
//! a rebalance that ends while a transaction is under way makes it one of an old generation, although its partitions
//! are still ours; that one is aborted and done again. They stay ours as long as the intake has not answered that it
//! gives them up, before which it waits for this thread. Small
//! transactions take milliseconds because the producer is polled in steps of one, not of a hundred, until everything
//! is out (rust-rdkafka's own `flush` inside `commit_transaction` then has nothing left to wait for).

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rdkafka::{
    Message, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig},
};

use super::{
    context::{Context, Rebalances, locked},
    error, offsets,
};
use crate::{Batch, LogError, Outgoing};

/// How many batches wait while one is being committed: two are under way at most.
const WAITING_BATCHES: usize = 1;
/// A transactional call gives up after this: the broker's own time-out of 10 s comes first.
const CALL: Duration = Duration::from_secs(15);
/// So often one transaction is done again because the group has rebalanced.
const REBALANCES: usize = 5;
/// How often the producer is asked whether everything is out.
const STEP: Duration = Duration::from_millis(1);

/// The producer with what is needed to commit.
pub(super) type TransactionalProducer = BaseProducer<Context<Deliveries>>;
type Member = BaseConsumer<Context<Rebalances>>;

/// Hands batches to the thread and knows how far it is.
pub(super) struct Committer {
    batches: Option<SyncSender<Batch>>,
    progress: Arc<Progress>,
    submitted: u64,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Progress {
    state: Mutex<State>,
    changed: Condvar,
    abandoned: AtomicBool,
}

#[derive(Default)]
struct State {
    committed: u64,
    failure: Option<LogError>,
}

/// Why a record of the transaction was not taken: the first reason, but rather one that is not a consequence.
#[derive(Default)]
pub(super) struct Deliveries {
    failure: Mutex<Option<LogError>>,
    purged: AtomicBool,
}

impl ProducerContext for Context<Deliveries> {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Err((failure, message)) = result else { return };
        match failure.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => {
                self.own.purged.store(true, Ordering::Relaxed);
            }
            _ => {
                locked(&self.own.failure).get_or_insert_with(|| error::delivery(message.topic(), failure));
            }
        }
    }
}

impl Committer {
    /// Starts the thread. `member` says, for each transaction anew, who we are in the group.
    pub(super) fn start(
        producer: TransactionalProducer,
        member: Arc<Member>,
        topic: Arc<str>,
    ) -> Result<Self, LogError> {
        let (batches, receiver) = sync_channel(WAITING_BATCHES);
        let progress = Arc::new(Progress::default());
        let worker = Worker { producer, member, topic, progress: Arc::clone(&progress) };
        let thread = thread::Builder::new()
            .name("kafka-commit".to_owned())
            .spawn(move || worker.run(&receiver))
            .map_err(|e| LogError::Refused(format!("no thread for transactions: {e}")))?;
        Ok(Self { batches: Some(batches), progress, submitted: 0, thread: Some(thread) })
    }

    /// Hands over a batch; waits while two are under way.
    pub(super) fn submit(&mut self, batch: Batch) -> Result<(), LogError> {
        self.committed()?;
        match self.batches.as_ref().map(|batches| batches.send(batch)) {
            Some(Ok(())) => {
                self.submitted += 1;
                Ok(())
            }
            Some(Err(_)) | None => self.committed().and(Err(ended())),
        }
    }

    /// How many batches are committed, or why no more will be.
    pub(super) fn committed(&self) -> Result<u64, LogError> {
        let state = locked(&self.progress.state);
        state.failure.clone().map_or(Ok(state.committed), Err)
    }

    /// Waits until all batches are committed. Every call in a transaction has a time-out, so this has an end.
    pub(super) fn settle(&self) -> Result<(), LogError> {
        let state = locked(&self.progress.state);
        let pending = |state: &mut State| state.failure.is_none() && state.committed < self.submitted;
        let state = self.progress.changed.wait_while(state, pending).unwrap_or_else(PoisonError::into_inner);
        state.failure.clone().map_or(Ok(()), Err)
    }

    /// Lets the thread end after the transaction it is in; what waits behind it is not begun.
    pub(super) fn stop(&mut self) -> Option<JoinHandle<()>> {
        self.progress.abandoned.store(true, Ordering::Relaxed);
        self.batches = None;
        self.thread.take()
    }
}

fn ended() -> LogError {
    LogError::Transaction("the thread for transactions has ended".to_owned())
}

impl Progress {
    fn fail(&self, failure: LogError) {
        locked(&self.state).failure.get_or_insert(failure);
        self.changed.notify_all();
    }
}

/// Whatever ends the thread, nobody waits for it for ever.
struct Ending(Arc<Progress>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.fail(ended());
    }
}

/// Why a transaction did not commit.
enum Failure {
    /// It was of an old generation of the group.
    Rebalanced,
    /// The producer is of no use any more.
    Final(LogError),
}

impl From<LogError> for Failure {
    fn from(failure: LogError) -> Self {
        Self::Final(failure)
    }
}

struct Worker {
    producer: TransactionalProducer,
    member: Arc<Member>,
    topic: Arc<str>,
    progress: Arc<Progress>,
}

impl Worker {
    fn run(self, batches: &Receiver<Batch>) {
        let ending = Ending(Arc::clone(&self.progress));
        for batch in batches {
            if self.progress.abandoned.load(Ordering::Relaxed) {
                break;
            }
            if let Err(failure) = self.commit(&batch) {
                tracing::warn!("a transaction of {} rows did not commit: {failure}", batch.len());
                self.progress.fail(failure);
                break;
            }
            locked(&self.progress.state).committed += 1;
            self.progress.changed.notify_all();
        }
        drop(ending);
    }

    fn commit(&self, batch: &Batch) -> Result<(), LogError> {
        for _ in 0..REBALANCES {
            let Err(failure) = self.transaction(batch) else { return Ok(()) };
            let aborted = self.abort();
            match failure {
                Failure::Rebalanced if aborted && !self.member.assignment_lost() => {
                    tracing::debug!("a rebalance came in between: the transaction is done again");
                }
                Failure::Rebalanced => break,
                // The reason for a row may have come after the failure it caused.
                Failure::Final(failure) => return Err(self.undelivered().unwrap_or(failure)),
            }
        }
        Err(LogError::Transaction("the group has rebalanced".to_owned()))
    }

    fn transaction(&self, batch: &Batch) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let producer = &self.producer;
        producer.context().own.purged.store(false, Ordering::Relaxed);
        producer.begin_transaction().map_err(|e| error::transaction("beginning", &e))?;
        for row in batch.rows() {
            self.produce(&row)?;
        }
        // In this order: asked at once after the last commit, the coordinator would put the positions off by 100 ms.
        self.wait_for_rows()?;
        self.send_positions(batch)?;
        Ok(producer.commit_transaction(CALL).map_err(|e| error::transaction("committing", &e))?)
    }

    fn produce(&self, row: &Outgoing<'_>) -> Result<(), LogError> {
        let mut record: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(row.topic).partition(offsets::native(row.partition)).payload(row.value);
        if !row.key.is_empty() {
            record = record.key(row.key);
        }
        if !row.headers.is_empty() {
            let headers = row.headers.iter().map(|(key, value)| Header { key, value: Some(value) });
            record = record.headers(headers.fold(OwnedHeaders::new(), OwnedHeaders::insert));
        }
        let deadline = Instant::now() + CALL;
        while let Err((failure, again)) = self.producer.send(record) {
            if !is_full(&failure) {
                return Err(error::delivery(row.topic, &failure));
            }
            self.check_delivery(deadline)?;
            self.producer.poll(STEP);
            record = again;
        }
        Ok(())
    }

    fn send_positions(&self, batch: &Batch) -> Result<(), Failure> {
        if batch.positions().is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(batch.positions().len());
        for position in batch.positions() {
            let mut element = list.add_partition(&self.topic, offsets::native(position.partition));
            element.set_metadata(&position.committed.metadata);
            element
                .set_offset(offsets::at(position.committed.next_offset))
                .map_err(|e| error::transaction("setting a position", &e))?;
        }
        // Asked in this order: once the group has put this member out, its identity is one that an empty group would
        // accept, but then the loss is known already. The member comes back only through the intake, which first
        // waits for this transaction.
        let Some(group) = self.member.group_metadata() else { return Err(ended().into()) };
        if self.member.assignment_lost() {
            let text = "the group has given the partitions to others";
            return Err(LogError::Transaction(text.to_owned()).into());
        }
        let sent = self.producer.send_offsets_to_transaction(&list, &group, CALL);
        sent.map_err(|failure| match failure.rdkafka_error_code() {
            Some(RDKafkaErrorCode::IllegalGeneration | RDKafkaErrorCode::RebalanceInProgress) => Failure::Rebalanced,
            _ => error::transaction("sending the positions", &failure).into(),
        })
    }

    fn wait_for_rows(&self) -> Result<(), LogError> {
        let deadline = Instant::now() + CALL;
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(STEP);
            self.check_delivery(deadline)?;
        }
        self.check_delivery(deadline)
    }

    fn undelivered(&self) -> Option<LogError> {
        locked(&self.producer.context().own.failure).clone()
    }

    fn check_delivery(&self, deadline: Instant) -> Result<(), LogError> {
        if let Some(failure) = self.undelivered() {
            return Err(failure);
        }
        if self.producer.context().own.purged.load(Ordering::Relaxed) {
            return Err(LogError::Transaction("rows were given up".to_owned()));
        }
        if Instant::now() > deadline {
            return Err(LogError::Transaction(format!("rows were not taken within {CALL:?}")));
        }
        Ok(())
    }

    /// Ends the transaction at once where the broker allows, so that readers need not wait until it times out.
    fn abort(&self) -> bool {
        if self.producer.client().fatal_error().is_some() {
            return false;
        }
        self.producer.purge(PurgeConfig::default().queue().inflight());
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            self.producer.poll(STEP);
        }
        let aborted = self.producer.abort_transaction(Duration::from_secs(2));
        if let Err(failure) = &aborted {
            tracing::debug!("aborting: {failure}");
        }
        aborted.is_ok()
    }
}

fn is_full(failure: &KafkaError) -> bool {
    failure.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}
