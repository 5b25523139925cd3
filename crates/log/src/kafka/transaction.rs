//! One transaction: rows and positions, both or neither.
//!
//! A rebalance that ends while a transaction is written makes it one of an old generation, although its partitions are
//! still ours; that one is taken back and done again. They stay ours as long as the intake has not answered that it gives
//! them up, before which it waits for the transaction. librdkafka then drops the rows it has not sent yet, and may miss
//! some in its own sequence the next time: that one is taken back as well, which begins the sequence anew. Any other
//! failure is the end of the producer.
//!
//! Small transactions take milliseconds because everything is out before `commit_transaction` is called: rust-rdkafka's
//! own `flush` in it, which waits in steps of a hundred, then has nothing left to wait for.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Message, TopicPartitionList,
    consumer::Consumer,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig},
};

use super::{
    REQUEST,
    config::Settings,
    connect::connect,
    context::{Context, locked},
    error,
    intake::Member,
    offsets, poll,
    produce::Lender,
};
use crate::{Batch, LogError, Outgoing, Position, Topics, committer::Lane};

/// Writing a transaction, and committing it, gives up after this: the broker's own time-out of 10 s comes first.
const CALL: Duration = Duration::from_secs(15);
/// Between two looks whether something went wrong while a transaction's rows are taken.
const STEP: Duration = Duration::from_millis(10);
/// Between two looks whether there is room for more.
const ROOM_STEP: Duration = Duration::from_millis(1);
/// So many rows of a partition are handed over together: what librdkafka is told of them stays in a core's cache.
const RUN_ROWS: usize = 1_024;
/// By so much longer each time, a transaction that was taken back waits until it is done again: the group may not have
/// told this member of its new generation yet.
const AGAIN_STEP: Duration = Duration::from_millis(10);

/// How many producers a member has. A producer has one transaction at a time, and the coordinator puts its next one off
/// by 20 ms while the last one's partitions are being marked; with two, one writes meanwhile.
const LANES: usize = 2;

/// A transactional producer.
pub(super) type Producing = BaseProducer<Context<Deliveries>>;

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

/// Why a transaction did not commit.
enum Failure {
    /// It was of an old generation of the group, or librdkafka has dropped rows: another one may do.
    TakenBack(LogError),
    /// The producer is of no use any more.
    Final(LogError),
}

impl From<LogError> for Failure {
    fn from(failure: LogError) -> Self {
        Self::Final(failure)
    }
}

impl From<Failure> for LogError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TakenBack(failure) | Failure::Final(failure) => failure,
        }
    }
}

/// A transactional producer, and what is needed to commit with it.
pub(super) struct Transactions {
    lender: Lender<Context<Deliveries>, Batch>,
    /// Says, for each transaction anew, who we are in the group.
    member: Arc<Member>,
    topic: Arc<str>,
    /// How many of the parts that are lent were handed over to the transaction that is begun, if one is.
    handed_over: Option<usize>,
}

impl Transactions {
    /// Makes the producers of all lanes, which fences earlier ones of these names and aborts what those left behind.
    pub(super) fn prepare_all(settings: &Settings, topics: &Topics, member: &str) -> Result<Vec<Producing>, LogError> {
        let prepare = |lane| move || Self::prepare(settings, topics, member, lane);
        thread::scope(|scope| {
            // Each waits for the coordinator, so all at once.
            let threads: Vec<_> = (0..LANES).map(|lane| scope.spawn(prepare(lane))).collect();
            let panicked = |_| Err(LogError::Transaction("preparing a producer panicked".to_owned()));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
        })
    }

    fn prepare(settings: &Settings, topics: &Topics, member: &str, lane: usize) -> Result<Producing, LogError> {
        let producer: Producing = settings
            .transactional(&topics.group, member, lane)
            .create_with_context(Context::default())
            .map_err(|e| error::failed("making a producer", &e))?;
        let connected = connect(producer.client(), &topics.commands);
        if let Err(failure) = connected.and_then(|()| producer.init_transactions(2 * REQUEST)) {
            producer.poll(Duration::ZERO);
            let refused = producer.context().refusal();
            return Err(refused.unwrap_or_else(|| error::failed("preparing transactions", &failure)));
        }
        Ok(producer)
    }

    /// Transactions of `member`, whose positions are of `topic`.
    pub(super) fn new(producer: Producing, member: Arc<Member>, topic: Arc<str>) -> Self {
        Self { lender: Lender::new(producer), member, topic, handed_over: None }
    }

    fn producer(&self) -> &Producing {
        self.lender.producer()
    }

    /// Hands over what is lent and was not handed over yet, and begins the transaction before, if none is begun.
    fn hand_over_rest(&mut self, deadline: Instant) -> Result<(), LogError> {
        if self.handed_over.is_none() {
            self.producer().context().own.purged.store(false, Ordering::Relaxed);
            self.producer().begin_transaction().map_err(|e| error::transaction("beginning", &e))?;
        }
        for part in self.handed_over.unwrap_or_default()..self.lender.lent().len() {
            self.handed_over = Some(part + 1);
            self.produce_all(part, deadline)?;
        }
        Ok(())
    }

    /// Completes the transaction, anew where it has to be taken back.
    fn complete_by(&mut self, deadline: Instant) -> Result<Vec<Batch>, LogError> {
        let mut wait = Duration::ZERO;
        loop {
            match self.try_complete(deadline) {
                Ok(()) => break,
                Err(Failure::TakenBack(reason)) if !self.member.assignment_lost() => {
                    tracing::debug!("{reason}: the transaction is done again");
                    self.take_back(deadline)?;
                }
                Err(failure) => return Err(failure.into()),
            }
            wait += AGAIN_STEP;
            poll::pause(self.producer(), wait);
        }
        // Once all rows are taken, none is under way.
        self.lender.give_back().ok_or_else(|| LogError::Transaction("rows are still under way".to_owned()))
    }

    /// Sends the positions, and waits for the rows. What has ended in between is begun and handed over again.
    fn try_complete(&mut self, deadline: Instant) -> Result<(), Failure> {
        self.hand_over_rest(deadline)?;
        let begun = Instant::now();
        // In this order: librdkafka has the coordinator take in partitions a millisecond after the first row of each, and
        // sends no row before.
        if let Some(last) = self.lender.lent().last() {
            self.send_positions(last.positions(), deadline)?;
        }
        let positions = begun.elapsed();
        self.wait_for_rows(deadline)?;
        tracing::debug!(parts = self.lender.lent().len(), ?positions, taken = ?begun.elapsed(), "transaction");
        Ok(())
    }

    /// Hands over a partition's rows together, and those with headers one by one.
    fn produce_all(&self, part: usize, deadline: Instant) -> Result<(), LogError> {
        let Some(batch) = self.lender.lent().get(part) else { return Ok(()) };
        let begun = Instant::now();
        let mut run: Vec<Outgoing<'_>> = Vec::with_capacity(RUN_ROWS);
        for row in batch.rows() {
            if !row.headers.is_empty() {
                self.produce_one(&row, deadline)?;
                continue;
            }
            if run.len() == RUN_ROWS || run.last().is_some_and(|last| !last.is_beside(&row)) {
                self.produce_run(part, &run, deadline)?;
                run.clear();
            }
            run.push(row);
        }
        self.produce_run(part, &run, deadline)?;
        tracing::debug!(rows = batch.len(), produced = ?begun.elapsed(), "transaction");
        Ok(())
    }

    fn produce_run(&self, part: usize, mut run: &[Outgoing<'_>], deadline: Instant) -> Result<(), LogError> {
        while let Some(Outgoing { topic, partition, .. }) = run.first() {
            let taken = self
                .lender
                .hand_over(part, topic, offsets::native(*partition), run, |batch, row| batch.record(row.at))
                .map_err(|failure| error::delivery(topic, &failure))?;
            run = run.get(taken..).unwrap_or_default();
            if !run.is_empty() {
                self.wait_for_room(deadline)?;
            }
        }
        Ok(())
    }

    fn produce_one(&self, row: &Outgoing<'_>, deadline: Instant) -> Result<(), LogError> {
        let headers = row.headers.iter().map(|(key, value)| Header { key, value: Some(value) });
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(row.topic)
            .partition(offsets::native(row.partition))
            .payload(row.value)
            .headers(headers.fold(OwnedHeaders::new(), OwnedHeaders::insert));
        if !row.key.is_empty() {
            record = record.key(row.key);
        }
        while let Err((failure, again)) = self.producer().send(record) {
            if !is_full(&failure) {
                return Err(error::delivery(row.topic, &failure));
            }
            self.wait_for_room(deadline)?;
            record = again;
        }
        Ok(())
    }

    fn wait_for_room(&self, deadline: Instant) -> Result<(), LogError> {
        self.check_delivery(deadline)?;
        // What it has would linger, for more that does not fit.
        self.lender.flush(ROOM_STEP);
        Ok(())
    }

    fn send_positions(&self, positions: &[Position], deadline: Instant) -> Result<(), Failure> {
        if positions.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(positions.len());
        for position in positions {
            let mut element = list.add_partition(&self.topic, offsets::native(position.partition));
            element.set_metadata(&position.committed.metadata);
            element
                .set_offset(offsets::at(position.committed.next_offset))
                .map_err(|e| error::transaction("setting a position", &e))?;
        }
        // Asked in this order: once the group has put this member out, its identity is one that an empty group would
        // accept, but then the loss is known already. The member comes back only through the intake, which first
        // waits for this transaction.
        let Some(group) = self.member.group_metadata() else {
            return Err(LogError::Transaction("not in the group".to_owned()).into());
        };
        if self.member.assignment_lost() {
            let text = "the group has given the partitions to others";
            return Err(LogError::Transaction(text.to_owned()).into());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let sent = self.producer().send_offsets_to_transaction(&list, &group, left);
        sent.map_err(|failure| match failure.rdkafka_error_code() {
            Some(RDKafkaErrorCode::IllegalGeneration | RDKafkaErrorCode::RebalanceInProgress) => {
                Failure::TakenBack(LogError::Transaction("the group has rebalanced".to_owned()))
            }
            _ => error::transaction("sending the positions", &failure).into(),
        })
    }

    fn wait_for_rows(&self, deadline: Instant) -> Result<(), Failure> {
        loop {
            let taken = self.lender.flush(STEP);
            self.check_delivery(deadline)?;
            if taken {
                return Ok(());
            }
        }
    }

    fn undelivered(&self) -> Option<LogError> {
        locked(&self.producer().context().own.failure).clone()
    }

    fn check_delivery(&self, deadline: Instant) -> Result<(), Failure> {
        if let Some(failure) = self.undelivered() {
            return Err(failure.into());
        }
        if self.producer().context().own.purged.load(Ordering::Relaxed) {
            return Err(Failure::TakenBack(LogError::Transaction("rows were dropped".to_owned())));
        }
        if Instant::now() > deadline {
            return Err(LogError::Transaction(format!("rows were not taken within {CALL:?}")).into());
        }
        Ok(())
    }

    /// Takes the transaction back, so that another one may be begun. librdkafka has dropped the rows it has not sent; those
    /// that are under way are waited for, because without them the broker would miss some of the producer's sequence.
    fn take_back(&mut self, deadline: Instant) -> Result<(), LogError> {
        self.wait_for_none_under_way(deadline);
        // The reason may be that the broker refuses a row, and come after what it caused.
        if let Some(failure) = self.undelivered() {
            return Err(failure);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        self.producer().abort_transaction(left).map_err(|e| error::transaction("aborting", &e))?;
        self.handed_over = None;
        Ok(())
    }

    fn wait_for_none_under_way(&self, deadline: Instant) {
        while self.producer().in_flight_count() > 0 && Instant::now() < deadline {
            poll::pause(self.producer(), poll::STEP);
        }
    }
}

impl Lane for Transactions {
    /// More than both a call and giving up after it may take. librdkafka has no time-out of its own for finding the
    /// group's coordinator, which sending the positions may wait for.
    const HANGS_AFTER: Duration = Duration::from_secs(30);

    fn write(&mut self, part: Batch) -> Result<(), LogError> {
        self.lender.lend(part);
        self.hand_over_rest(Instant::now() + CALL).map_err(|failure| {
            self.abort();
            // The reason for a row may have come after the failure it caused.
            self.undelivered().unwrap_or(failure)
        })
    }

    fn complete(&mut self) -> Result<Vec<Batch>, LogError> {
        self.complete_by(Instant::now() + CALL).map_err(|failure| {
            self.abort();
            self.undelivered().unwrap_or(failure)
        })
    }

    fn commit(&mut self) -> Result<(), LogError> {
        let begun = Instant::now();
        self.producer().commit_transaction(CALL).map_err(|e| error::transaction("committing", &e))?;
        self.handed_over = None;
        tracing::debug!(committed = ?begun.elapsed(), "transaction");
        Ok(())
    }

    /// At once where the broker allows, so that readers need not wait until it times out.
    fn abort(&mut self) {
        if self.handed_over.take().is_none() || self.producer().client().fatal_error().is_some() {
            return;
        }
        self.producer().purge(PurgeConfig::default().queue().inflight());
        self.wait_for_none_under_way(Instant::now() + Duration::from_secs(1));
        if let Err(failure) = self.producer().abort_transaction(Duration::from_secs(2)) {
            tracing::debug!("aborting: {failure}");
        }
    }
}

fn is_full(failure: &KafkaError) -> bool {
    failure.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

#[cfg(test)]
mod tests;
