//! Takes many records of a consumer at once. rust-rdkafka takes one at a time, and then each of them costs librdkafka
//! several locks and looks at the clock: as much as fetching it.
//!
//! By librdkafka's callback, not by its batches: these take the end of a partition for a record, and read on one offset
//! after it (librdkafka#4844).
//!
//! Unsafe, as `produce` is: what rust-rdkafka does for one record, done for several.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, CString, c_void},
    marker::PhantomData,
    ops::ControlFlow,
    ptr::{self, NonNull},
    slice,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    bindings::{
        rd_kafka_consume_callback_queue, rd_kafka_header_get_all, rd_kafka_message_errstr, rd_kafka_message_headers,
        rd_kafka_message_t, rd_kafka_message_timestamp, rd_kafka_queue_destroy, rd_kafka_queue_forward,
        rd_kafka_queue_get_partition, rd_kafka_queue_new, rd_kafka_queue_t, rd_kafka_t, rd_kafka_yield,
    },
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};

const NO_ERROR: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;

/// Where the records of some of a consumer's partitions come to, apart from what else the consumer is told.
pub(super) struct Inflow<C: ConsumerContext + 'static> {
    queue: NonNull<rd_kafka_queue_t>,
    /// Lives longer than its queue.
    consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: librdkafka's queues may be used by any thread.
unsafe impl<C: ConsumerContext + 'static> Send for Inflow<C> {}

impl<C: ConsumerContext + 'static> Inflow<C> {
    pub(super) fn new(consumer: Arc<BaseConsumer<C>>) -> Self {
        // SAFETY: the client lives.
        let queue = unsafe { rd_kafka_queue_new(consumer.client().native_ptr()) };
        #[expect(clippy::expect_used, reason = "librdkafka stops the process where it has no memory for one")]
        let queue = NonNull::new(queue).expect("a queue");
        Self { queue, consumer }
    }

    /// Has a partition's records come here. Before the partition is assigned, and once more after that if it was
    /// assigned before: where librdkafka stops reading it, which it does in its own time, it forgets this and keeps the
    /// records that follow to itself until it is told again.
    pub(super) fn draw(&self, topic: &str, partition: i32) -> Result<(), KafkaError> {
        let topic = CString::new(topic)?;
        // SAFETY: the client lives, and the name ends with a zero.
        let theirs =
            unsafe { rd_kafka_queue_get_partition(self.consumer.client().native_ptr(), topic.as_ptr(), partition) };
        if theirs.is_null() {
            return Err(KafkaError::Subscription(format!("partition {partition} has no queue")));
        }
        // SAFETY: both queues live; theirs is given back once.
        unsafe {
            rd_kafka_queue_forward(theirs, self.queue.as_ptr());
            rd_kafka_queue_destroy(theirs);
        }
        Ok(())
    }

    /// Visits what is there, and waits for the first of it. Takes no more once `visit` says so. Whether anything came.
    pub(super) fn take(&self, wait: Duration, visit: impl FnMut(&Taken<'_>) -> ControlFlow<()>) -> bool {
        let deadline = Instant::now() + wait;
        let mut taking = Taking { client: self.consumer.client().native_ptr(), visit, came: false };
        let call = call_of(&taking);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let wait_ms = i32::try_from(left.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX);
            // SAFETY: the queue lives. It is called with what is given here, only until this returns.
            unsafe {
                rd_kafka_consume_callback_queue(self.queue.as_ptr(), wait_ms, Some(call), (&raw mut taking).cast())
            };
            // What librdkafka drops of what was fetched before a start ends its wait as well.
            if taking.came || left.is_zero() {
                return taking.came;
            }
        }
    }
}

/// What librdkafka hands through to its callback.
struct Taking<V> {
    client: *mut rd_kafka_t,
    visit: V,
    came: bool,
}

type Call = unsafe extern "C" fn(*mut rd_kafka_message_t, *mut c_void);

/// The callback that goes with it.
fn call_of<V: FnMut(&Taken<'_>) -> ControlFlow<()>>(_: &Taking<V>) -> Call {
    visit::<V>
}

/// # Safety
/// `message` lives during this call, and `taking` is a [`Taking`] of this kind that nobody else uses meanwhile.
unsafe extern "C" fn visit<V: FnMut(&Taken<'_>) -> ControlFlow<()>>(
    message: *mut rd_kafka_message_t,
    taking: *mut c_void,
) {
    // SAFETY: the caller's.
    let taking = unsafe { &mut *taking.cast::<Taking<V>>() };
    let Some(message) = NonNull::new(message) else { return };
    taking.came = true;
    if (taking.visit)(&Taken { message, of: PhantomData }).is_break() {
        // SAFETY: the client lives. What was not visited stays in the queue.
        unsafe { rd_kafka_yield(taking.client) }
    }
}

impl<C: ConsumerContext + 'static> Drop for Inflow<C> {
    fn drop(&mut self) {
        // SAFETY: the client lives.
        unsafe { rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// A record, or what a partition says instead of one.
pub(super) struct Taken<'a> {
    message: NonNull<rd_kafka_message_t>,
    of: PhantomData<&'a ()>,
}

impl Taken<'_> {
    fn message(&self) -> &rd_kafka_message_t {
        // SAFETY: it lives for as long as this, and nobody changes it.
        unsafe { self.message.as_ref() }
    }

    /// If it is no record: what it says.
    pub(super) fn error(&self) -> Option<RDKafkaErrorCode> {
        let code = self.message().err;
        (code != NO_ERROR).then(|| code.into())
    }

    /// The same in librdkafka's words.
    pub(super) fn reason(&self) -> String {
        // SAFETY: the message lives, and its text longer than this call.
        let text = unsafe { rd_kafka_message_errstr(self.message.as_ptr()) };
        // SAFETY: as before; it ends with a zero.
        if text.is_null() { String::new() } else { unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned() }
    }

    pub(super) fn partition(&self) -> i32 {
        self.message().partition
    }

    /// Of the record; for the end of a partition, where that is.
    pub(super) fn offset(&self) -> i64 {
        self.message().offset
    }

    pub(super) fn key(&self) -> Option<&[u8]> {
        // SAFETY: the key is part of the message.
        unsafe { bytes(self.message().key, self.message().key_len) }
    }

    pub(super) fn value(&self) -> Option<&[u8]> {
        // SAFETY: the value is part of the message.
        unsafe { bytes(self.message().payload, self.message().len) }
    }

    /// Milliseconds since 1970; `None` if the record does not say.
    pub(super) fn at_ms(&self) -> Option<i64> {
        // SAFETY: the message lives; nobody asks for the kind of time.
        let at_ms = unsafe { rd_kafka_message_timestamp(self.message.as_ptr(), ptr::null_mut()) };
        (at_ms >= 0).then_some(at_ms)
    }

    /// Names and values, as text.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let (mut headers, mut read) = (ptr::null_mut(), Vec::new());
        // SAFETY: the message lives, and its headers with it.
        if unsafe { rd_kafka_message_headers(self.message.as_ptr(), &raw mut headers) } != NO_ERROR {
            return read;
        }
        let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the headers live, and so does what is written to.
        while unsafe { rd_kafka_header_get_all(headers, read.len(), &raw mut name, &raw mut value, &raw mut length) }
            == NO_ERROR
        {
            // SAFETY: the name ends with a zero, the value has this length, and both are part of the message.
            let (name, value) = unsafe { (CStr::from_ptr(name), bytes(value, length)) };
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            read.push((text(name.to_bytes()), text(value.unwrap_or_default())));
        }
        read
    }
}

/// # Safety
/// `start` is null or begins so many bytes that live as long as the result, unchanged.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast(), length) })
}

#[cfg(test)]
mod tests {
    use rdkafka::{
        ClientConfig, Offset, TopicPartitionList,
        consumer::DefaultConsumerContext,
        message::{Header, OwnedHeaders},
        mocking::MockCluster,
        producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _},
    };

    use super::*;

    const RECORDS: i64 = 100;
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A broker in this process, with so many records in each of two partitions.
    fn broker() -> MockCluster<'static, DefaultProducerContext> {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("topic", 2, 1).unwrap();
        let producer: BaseProducer = config(&cluster).create().unwrap();
        for number in 0..RECORDS {
            for partition in [0, 1] {
                let value = format!("{partition} {number}");
                let header = Header { key: "number", value: Some(&value) };
                let record = BaseRecord::to("topic").partition(partition).key("key").payload(&value).timestamp(number);
                producer.send(record.headers(OwnedHeaders::new().insert(header))).unwrap();
            }
        }
        producer.flush(PATIENCE).unwrap();
        cluster
    }

    fn config(cluster: &MockCluster<'_, DefaultProducerContext>) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers());
        config
    }

    fn inflow(cluster: &MockCluster<'_, DefaultProducerContext>) -> Inflow<DefaultConsumerContext> {
        let mut config = config(cluster);
        config.set("group.id", "group").set("enable.partition.eof", "true").set("fetch.wait.max.ms", "10");
        Inflow::new(Arc::new(config.create().unwrap()))
    }

    fn assign(inflow: &Inflow<DefaultConsumerContext>, partitions: &[i32], offset: i64) {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset("topic", *partition, Offset::Offset(offset)).unwrap();
        }
        inflow.consumer.incremental_assign(&list).unwrap();
    }

    #[derive(Debug, PartialEq)]
    struct Record {
        partition: i32,
        offset: i64,
        at_ms: Option<i64>,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        headers: Vec<(String, String)>,
    }

    /// Takes until so many partitions have ended; the records, and where the ends are.
    fn take_to_ends(inflow: &Inflow<DefaultConsumerContext>, ends: usize) -> (Vec<Record>, Vec<(i32, i64)>) {
        let deadline = Instant::now() + PATIENCE;
        let (mut records, mut ended) = (Vec::new(), Vec::new());
        while ended.len() < ends {
            assert!(Instant::now() < deadline, "{} records, ends {ended:?}", records.len());
            assert!(inflow.consumer.poll(Duration::ZERO).is_none(), "it came on the consumer's own way");
            let mut room = 7;
            inflow.take(Duration::from_millis(10), |taken| {
                assert!(room > 0, "it was told to stop");
                room -= 1;
                match taken.error() {
                    None => records.push(Record {
                        partition: taken.partition(),
                        offset: taken.offset(),
                        at_ms: taken.at_ms(),
                        key: taken.key().map(<[u8]>::to_vec),
                        value: taken.value().map(<[u8]>::to_vec),
                        headers: taken.headers(),
                    }),
                    Some(RDKafkaErrorCode::PartitionEOF) => ended.push((taken.partition(), taken.offset())),
                    Some(error) => panic!("{error}: {}", taken.reason()),
                }
                if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
        (records, ended)
    }

    /// Where librdkafka would read on.
    fn position(inflow: &Inflow<DefaultConsumerContext>) -> Offset {
        inflow.consumer.position().unwrap().find_partition("topic", 0).unwrap().offset()
    }

    #[test]
    fn everything_of_what_is_drawn_comes_in_order() {
        let cluster = broker();
        let inflow = inflow(&cluster);
        [0, 1].into_iter().for_each(|partition| inflow.draw("topic", partition).unwrap());
        assign(&inflow, &[0, 1], 3);
        let (records, mut ends) = take_to_ends(&inflow, 2);
        ends.sort_unstable();
        assert_eq!(ends, [(0, RECORDS), (1, RECORDS)]);
        for partition in [0, 1] {
            let of = records.iter().filter(|record| record.partition == partition);
            assert!(
                of.eq((3..RECORDS)
                    .map(|offset| {
                        let value = format!("{partition} {offset}");
                        let headers = vec![("number".to_owned(), value.clone())];
                        let (key, value) = (Some(b"key".to_vec()), Some(value.into_bytes()));
                        Record { partition, offset, at_ms: Some(offset), key, value, headers }
                    })
                    .collect::<Vec<_>>()
                    .iter())
            );
        }
        assert_eq!(position(&inflow), Offset::Offset(RECORDS));
        assert!(!inflow.take(Duration::from_millis(1), |_| panic!("there is no more")));
    }

    /// As a partition that is lost and comes back.
    #[test]
    fn what_was_given_up_comes_again() {
        let cluster = broker();
        let inflow = inflow(&cluster);
        inflow.draw("topic", 0).unwrap();
        for from in [0, 40, 20] {
            assign(&inflow, &[0], from);
            let deadline = Instant::now() + PATIENCE;
            let mut first = None;
            while first.is_none() {
                assert!(Instant::now() < deadline, "nothing comes from {from}");
                // Without this, nothing would.
                inflow.draw("topic", 0).unwrap();
                inflow.take(Duration::from_millis(1), |taken| {
                    first = Some(taken.offset());
                    ControlFlow::Break(())
                });
            }
            let (records, ends) = take_to_ends(&inflow, 1);
            let offsets = first.into_iter().chain(records.iter().map(|record| record.offset));
            assert!(offsets.eq(from..RECORDS));
            assert_eq!(ends, [(0, RECORDS)]);
            let mut list = TopicPartitionList::new();
            list.add_partition("topic", 0);
            inflow.consumer.incremental_unassign(&list).unwrap();
        }
    }

    #[test]
    fn a_name_that_is_none_has_no_queue() {
        let cluster = broker();
        assert!(inflow(&cluster).draw("a\0b", 0).is_err());
    }
}
