//! What the group decides, noted inside `poll` until the intake takes it up.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    types::RDKafkaRespErr,
};

use super::{
    context::{Context, locked},
    poll,
};
use crate::Partition;

/// A member that is told to end, and has answered for its partitions, has left within this time, if brokers answer.
const END: Duration = Duration::from_millis(100);

/// The rebalances of a group member, until its thread takes them up.
#[derive(Default)]
pub(super) struct Rebalances {
    waiting: Mutex<VecDeque<Rebalance>>,
    closing: AtomicBool,
}

/// Something the group decided, that the member has to answer by assigning or giving up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rebalance {
    /// These partitions are ours once assigned.
    Assign(Vec<Partition>),
    /// These partitions are wanted back, or (`lost`) are somebody else's already.
    Revoke {
        /// Which.
        partitions: Vec<Partition>,
        /// Whether it is too late to commit anything of them.
        lost: bool,
    },
}

impl Rebalances {
    /// The oldest rebalance that has not been taken up; it stays until [`Self::done`].
    pub(super) fn front(&self) -> Option<Rebalance> {
        locked(&self.waiting).front().cloned()
    }

    /// Forgets the oldest one.
    pub(super) fn done(&self) {
        locked(&self.waiting).pop_front();
    }

    /// Whether one waits.
    pub(super) fn waiting(&self) -> bool {
        !locked(&self.waiting).is_empty()
    }

    /// From now on rebalances are answered at once: nobody polls for them any more.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

/// What is dropped looks whether it has left the group once its last partitions are answered for, and next 100 ms later:
/// mostly the end comes between the two.
fn wait_for_end(consumer: &BaseConsumer<Context<Rebalances>>) {
    let deadline = Instant::now() + END;
    while !consumer.closed() && Instant::now() < deadline {
        thread::park_timeout(poll::STEP);
    }
}

impl ConsumerContext for Context<Rebalances> {
    /// librdkafka waits for the answer while heartbeats go on, so it can be given later, from [`super::intake`].
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assign = matches!(what, RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS);
        if self.own.closing.load(Ordering::Relaxed) {
            let answer = if assign { consumer.incremental_assign(list) } else { consumer.incremental_unassign(list) };
            if let Err(error) = answer {
                tracing::debug!("while leaving the group: {error}");
            }
            if !assign {
                wait_for_end(consumer);
            }
            return;
        }
        let partitions = list.elements().iter().filter_map(|of| Partition::try_from(of.partition()).ok()).collect();
        tracing::debug!(?partitions, assign, "rebalance");
        let lost = consumer.assignment_lost();
        let rebalance = if assign { Rebalance::Assign(partitions) } else { Rebalance::Revoke { partitions, lost } };
        locked(&self.own.waiting).push_back(rebalance);
    }
}
