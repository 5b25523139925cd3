//! What librdkafka tells a client beside its results: log lines, errors, rebalances. Called from inside `poll`, so
//! everything here notes and returns.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};

use super::error;
use crate::{LogError, Offset, Partition};

/// The context of any of our clients; `own` is what this kind of client notes besides.
#[derive(Default)]
pub(super) struct Context<T = ()> {
    /// The last error that needs no answer by itself, with librdkafka's reason.
    problem: Mutex<Option<(RDKafkaErrorCode, String)>>,
    /// Where the partition ended of which the next polled event says that its end was reached.
    end: Mutex<Option<Offset>>,
    /// Noted by this kind of client.
    pub(super) own: T,
}

/// A mutex here guards single values, which a panic elsewhere cannot leave half written.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Context<T> {
    /// Why the brokers refuse this client, if they do.
    pub(super) fn refusal(&self) -> Option<LogError> {
        let problem = locked(&self.problem);
        let (code, reason) = problem.as_ref()?;
        error::is_refusal(*code).then(|| LogError::Refused(format!("Kafka refuses the connection: {reason}")))
    }

    /// The last thing that went wrong, in librdkafka's words.
    pub(super) fn last_problem(&self) -> Option<String> {
        locked(&self.problem).as_ref().map(|(_, reason)| reason.clone())
    }

    /// Everything works again.
    pub(super) fn forget_problem(&self) {
        *locked(&self.problem) = None;
    }

    /// The offset at which the partition ended whose end was just polled.
    pub(super) fn take_end(&self) -> Option<Offset> {
        locked(&self.end).take()
    }
}

impl<T: Send + Sync> ClientContext for Context<T> {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        match level {
            // Properties of the other kind of client are passed to both.
            _ if facility == "CONFWARN" => tracing::debug!(target: "librdkafka", "{facility}: {line}"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(target: "librdkafka", "{facility}: {line}");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                tracing::info!(target: "librdkafka", "{facility}: {line}");
            }
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", "{facility}: {line}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PartitionEOF) => *locked(&self.end) = end_of_partition(reason),
            Some(code) => {
                tracing::info!(target: "librdkafka", "{error}: {reason}");
                let mut problem = locked(&self.problem);
                // That all brokers are down follows from what happened with each, which says more.
                if problem.is_none() || code != RDKafkaErrorCode::AllBrokersDown {
                    *problem = Some((code, reason.to_owned()));
                }
            }
            None => tracing::info!(target: "librdkafka", "{error}: {reason}"),
        }
    }
}

/// rust-rdkafka hands on only the partition of an end-of-partition event; its offset is in librdkafka's text alone:
/// `Fetch from broker 1 reached end of partition at offset 42 (HighwaterMark 43)`.
fn end_of_partition(reason: &str) -> Option<Offset> {
    let (_, rest) = reason.split_once("at offset ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl ConsumerContext for Context {}

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

impl ConsumerContext for Context<Rebalances> {
    /// librdkafka waits for the answer while heartbeats go on, so it can be given later, from [`super::intake`].
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assign = matches!(what, RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS);
        if self.own.closing.load(Ordering::Relaxed) {
            let answer = if assign { consumer.incremental_assign(list) } else { consumer.incremental_unassign(list) };
            if let Err(error) = answer {
                tracing::debug!("while leaving the group: {error}");
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

#[cfg(test)]
mod tests {
    use super::end_of_partition;

    #[test]
    fn reads_the_end_of_a_partition() {
        let text = "Fetch from broker 1 reached end of partition at offset 42 (HighwaterMark 43)";
        assert_eq!(end_of_partition(text), Some(42));
        assert_eq!(end_of_partition("Broker: No more messages"), None);
    }
}
