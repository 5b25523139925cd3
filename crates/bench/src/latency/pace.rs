//! Sends commands when they are due.

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use partyline_log::{Backend as _, kafka::Kafka};
use partyline_wire::partition_of;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::{Clock, Flow};
use crate::{
    args::Setup,
    cluster::{self, REQUEST},
    load::{Loud, send},
    workload::Source,
};

/// What is due within this time goes out together: waking up for each command would take a core.
const TICK: Duration = Duration::from_micros(500);

/// The sender.
pub struct Pace {
    producer: BaseProducer<Loud>,
    topic: Arc<str>,
    partitions: u32,
    clock: Clock,
}

/// What was sent.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// When the first one was due.
    pub began: u64,
    /// When the last one was due.
    pub ended: u64,
    /// The longest that one went out late, in microseconds.
    pub late_us: u64,
}

impl Pace {
    /// A producer that is connected: the first command must not pay for that.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(setup: &Setup, kafka: &Kafka, clock: Clock) -> anyhow::Result<Self> {
        let topic = Arc::clone(&kafka.topics().commands);
        let partitions = kafka.partitions(&topic)?.with_context(|| format!("there is no topic {topic}"))?;
        let properties = [
            ("enable.idempotence", "true"),
            ("compression.type", "lz4"),
            // As `partyline publish` has it.
            ("linger.ms", "0"),
            ("delivery.report.only.error", "true"),
        ];
        let producer: BaseProducer<Loud> =
            cluster::config(setup, &properties).create_with_context(Loud::default()).context("making a producer")?;
        producer.client().fetch_metadata(Some(&topic), REQUEST)?;
        Ok(Self { producer, topic, partitions, clock })
    }

    /// Sends at this rate until `enough` says so of the number sent. Each command carries the time at which it is due.
    ///
    /// # Errors
    /// If one is refused.
    pub fn run(
        &self,
        rate: u32,
        source: &mut dyn Source,
        flow: &Flow,
        enough: impl Fn(u64) -> bool,
    ) -> anyhow::Result<Sent> {
        let began = self.clock.now() + 10_000;
        let due = |sent: u64| began + sent * 1_000_000 / u64::from(rate);
        let (mut sent, mut late_us) = (0, 0);
        let mut value = Vec::new();
        while !enough(sent) {
            let wait = self.clock.until(due(sent));
            if wait.is_zero() {
                late_us = late_us.max(self.clock.now() - due(sent));
                self.send(due(sent), source, flow, &mut value)?;
                sent += 1;
            } else {
                self.producer.poll(Duration::ZERO);
                thread::park_timeout(wait.max(TICK));
            }
        }
        self.producer.flush(REQUEST)?;
        Ok(Sent { began, ended: due(sent.saturating_sub(1)), late_us })
    }

    /// Sends one command that says it was sent at `at`.
    ///
    /// # Errors
    /// If it is refused.
    pub fn send(&self, at: u64, source: &mut dyn Source, flow: &Flow, value: &mut Vec<u8>) -> anyhow::Result<()> {
        value.clear();
        let next = source.next_at(at, value);
        let partition = i32::try_from(partition_of(next.key.as_bytes(), self.partitions))?;
        // Counted first: a row must not come before its command was sent.
        flow.sent.fetch_add(u64::from(next.shows), Ordering::AcqRel);
        send(&self.producer, BaseRecord::to(&self.topic).key(&*next.key).payload(value).partition(partition))?;
        Ok(())
    }

    /// Sends one command at once and waits until it is in the log.
    ///
    /// # Errors
    /// If it is refused.
    pub fn send_now(&self, source: &mut dyn Source, flow: &Flow) -> anyhow::Result<()> {
        self.send(self.clock.now(), source, flow, &mut Vec::new())?;
        Ok(self.producer.flush(REQUEST)?)
    }
}
