//! End to end: the rules against a naive implementation, then everything on the embedded log, then on a real Kafka.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chaos;
mod contract;
mod dead_letters;
mod foreign;
mod freshness;
mod golden;
mod kafka_starts;
mod leaks;
mod ledger;
mod malformed;
mod memory;
mod outcomes;
mod properties;
mod publishing;
mod routing;
mod rules;
mod starts;
mod stopping;
mod tidy;
