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
use crate::LogError;

/// The context of any of our clients; `own` is what this kind of client notes besides.
#[derive(Default)]
pub(super) struct Context<T = ()> {
    /// The last error that needs no answer by itself, with librdkafka's reason.
    problem: Mutex<Option<(RDKafkaErrorCode, String)>>,
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

impl ConsumerContext for Context {}
