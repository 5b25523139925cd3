//! What clients share: what a consumer brings, sorted; whether it still has a broker; a producer's
//! wait; and letting go of a client in bounded time.

use std::{
    ops::ControlFlow,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, ProducerContext},
};

use super::{consume::Taken, context::Context, error};
use crate::{LogError, Offset, Partition, Record, Records};

/// A call of `next` brings at most this many records.
pub(super) const MAX_RECORDS: usize = 4_096;
/// And stops after this many bytes of keys and values.
pub(super) const MAX_BYTES: usize = 4 * 1024 * 1024;
/// How often who waits for a client looks again.
pub(super) const STEP: Duration = Duration::from_micros(500);
/// Letting go of a client that takes longer than this goes on in the background.
const CLOSE: Duration = Duration::from_secs(3);

/// After so long a silence a client is asked whether it has a broker ...
const SILENCE: Duration = Duration::from_secs(10);
/// ... which has this time to answer ...
const PROBE: Duration = Duration::from_secs(1);
/// ... and the client is lost if it was asked in vain for so long.
const LOST: Duration = Duration::from_secs(10);

/// When a client last heard from a broker. librdkafka may forget all of them and never look for one again: a broker that
/// is just stopping or starting says that there are none (librdkafka#5301). Then only a new client helps.
pub(super) struct Contact {
    heard: Instant,
    /// Whether something has come since that was last looked at.
    came: bool,
    /// Since when it is asked in vain.
    in_vain: Option<Instant>,
}

impl Contact {
    /// As if it had just heard something.
    pub(super) fn new() -> Self {
        Self { heard: Instant::now(), came: false, in_vain: None }
    }

    /// Notes whether anything came.
    pub(super) fn note(&mut self, came: bool) {
        self.came |= came;
    }

    /// Whether this client is to be replaced. Asks for `topic` if nothing has been heard for a while.
    pub(super) fn is_lost<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, topic: &str) -> bool {
        let asked = Instant::now();
        if !self.came && self.heard.elapsed() < SILENCE {
            return false;
        }
        if self.came || consumer.fetch_metadata(Some(topic), PROBE).is_ok() {
            *self = Self::new();
            return false;
        }
        self.in_vain.get_or_insert(asked).elapsed() > LOST
    }
}

/// What was taken, sorted.
pub(super) enum Sorted {
    /// A record.
    Record(Partition, Offset),
    /// Everything of this partition below this offset has been delivered.
    End(Partition, Offset),
    /// Something that librdkafka deals with by itself.
    Nothing,
}

/// Serves what a consumer is told beside its records, and waits for some of that; says whether there was any. Errors that
/// librdkafka deals with by itself are logged, the others returned.
pub(super) fn serve<T: Send + Sync>(consumer: &BaseConsumer<Context<T>>, wait: Duration) -> Result<bool, LogError>
where
    Context<T>: ConsumerContext,
{
    // librdkafka waits whole milliseconds, and rust-rdkafka would spin through the rest.
    let wait = Duration::from_millis(u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX));
    let failure = match consumer.poll(wait) {
        None => return Ok(false),
        // All are drawn to another queue. Which of the two has the earlier ones, nobody knows.
        Some(Ok(_)) => return Err(LogError::Unreachable("a record came on a way that it should not".to_owned())),
        Some(Err(failure)) => failure,
    };
    let fatal = matches!(failure, KafkaError::MessageConsumptionFatal(_));
    match failure.rdkafka_error_code() {
        Some(code) if !fatal && error::is_passing(code) => Ok(true),
        Some(RDKafkaErrorCode::Fatal) => Err(fatal_error(consumer)),
        Some(code) => {
            let reason = consumer.context().last_problem().unwrap_or_else(|| code.to_string());
            Err(error::from_code("reading", code, reason))
        }
        None => Err(error::failed("reading", &failure)),
    }
}

/// Sorts what was taken; errors as in [`serve`].
pub(super) fn sort(taken: &Taken<'_>) -> Result<Sorted, LogError> {
    let (Ok(partition), Ok(offset)) = (Partition::try_from(taken.partition()), Offset::try_from(taken.offset())) else {
        return Ok(Sorted::Nothing);
    };
    match taken.error() {
        None => Ok(Sorted::Record(partition, offset)),
        Some(RDKafkaErrorCode::PartitionEOF) => Ok(Sorted::End(partition, offset)),
        Some(code) if error::is_passing(code) => {
            tracing::info!(target: "librdkafka", "{code}: {}", taken.reason());
            Ok(Sorted::Nothing)
        }
        Some(code) => Err(error::from_code("reading", code, taken.reason())),
    }
}

/// Whether to take more.
pub(super) fn go_on(taken: &Records, failed: bool) -> ControlFlow<()> {
    if failed || taken.len() >= MAX_RECORDS || taken.bytes() >= MAX_BYTES {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

fn fatal_error<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> LogError {
    match consumer.client().fatal_error() {
        Some((code, reason)) => error::from_code("reading", code, reason),
        None => LogError::Transaction("the consumer failed".to_owned()),
    }
}

/// Serves what has come for a producer, then waits a step. rust-rdkafka's own wait would spin through its last
/// millisecond.
pub(super) fn pause<C: ProducerContext>(producer: &BaseProducer<C>, step: Duration) {
    producer.poll(Duration::ZERO);
    thread::park_timeout(step);
}

/// Copies a record into the buffer.
pub(super) fn keep(
    into: &mut Records,
    partition: Partition,
    offset: Offset,
    taken: &Taken<'_>,
    headers: &[(String, String)],
) {
    let at_ms = taken.at_ms().unwrap_or_default();
    into.push(Record { partition, offset, at_ms, key: taken.key(), value: taken.value(), headers });
}

/// Drops a client on a thread of its own, because that may hang while brokers do not answer. Waits for it, but not for
/// ever: after that, what is left of the client is left to the end of the process.
pub(super) fn let_go<T: Send + 'static>(what: T) {
    let (done, wait) = mpsc::channel::<()>();
    let closing = thread::Builder::new().name("kafka-close".to_owned()).spawn(move || {
        drop(what);
        drop(done);
    });
    let closed = closing.is_ok() && !matches!(wait.recv_timeout(CLOSE), Err(mpsc::RecvTimeoutError::Timeout));
    if !closed {
        tracing::warn!("a Kafka client did not close within {CLOSE:?}; going on without it");
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;

    #[test]
    fn a_client_without_a_broker_is_lost_after_a_while() {
        // Nobody listens there.
        let config = ClientConfig::new().set("bootstrap.servers", "127.0.0.1:1").clone();
        let consumer: BaseConsumer<Context> = config.create_with_context(Context::default()).unwrap();
        let ago = |time| Instant::now().checked_sub(time).unwrap();
        let is_lost = |heard, in_vain| Contact { heard, came: false, in_vain }.is_lost(&consumer, "topic");
        assert!(!is_lost(Instant::now(), None));
        assert!(!is_lost(ago(SILENCE), None), "asked once in vain");
        assert!(is_lost(ago(SILENCE), Some(ago(LOST))));
        let mut contact = Contact { heard: ago(SILENCE), came: false, in_vain: Some(ago(LOST)) };
        contact.note(true);
        assert!(!contact.is_lost(&consumer, "topic"));
    }
}
