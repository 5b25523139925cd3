//! What librdkafka tells a client beside its results: log lines and errors. Called from inside `poll`, so
//! everything here notes and returns.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
};

use super::error;
use crate::{LogError, Offset};

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
