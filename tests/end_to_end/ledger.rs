//! The whole way, on either log: commands in, every service's rows out, views and replays equal.

use std::time::Duration;

use partyline_projector::Settings;
use partyline_tests::{
    rig::{Rig, bootstrap, exactly_once},
    workload,
};
use serde_json::Value;

/// Bounds so small that every one is met many times.
pub fn tight() -> Settings {
    Settings {
        batch_commands: 37,
        batch_bytes: 64 << 10,
        part_bytes: 1 << 10,
        checkpoint_commands: 500,
        checkpoint_age: Duration::from_millis(100),
        dirty_bytes: 1 << 20,
        cache_bytes: 64 << 10,
        position_age: Duration::from_millis(50),
        ..Settings::default()
    }
}

/// Publishes, projects in several lives of the projector, and holds everything against the naive implementation.
fn whole_way(rig: &Rig, commands: &[Value]) {
    for (life, some) in commands.chunks(commands.len().div_ceil(3)).enumerate() {
        rig.publish(some);
        rig.project_to_end("projector", if life == 1 { Settings::default() } else { tight() });
    }
    for service in rig.services() {
        exactly_once(&rig.rows(&service));
    }
    rig.rows_equal_naive(commands);
    let digests = rig.views_equal_replays();
    // A projector without its store builds the same state from the log, and publishes nothing again.
    let before: Vec<_> = rig.services().iter().map(|service| rig.rows(service).len()).collect();
    assert_eq!(rig.project_to_end("projector-without-store", Settings::default()).commands, 0);
    assert_eq!(before, rig.services().iter().map(|service| rig.rows(service).len()).collect::<Vec<_>>());
    assert_eq!(digests.len(), rig.services().len());
}

fn random(seed: u64, count: usize) -> Vec<Value> {
    workload::with_bad_input(&workload::random_mix(seed, count), seed)
}

fn dialogues(limit: usize, seed: u64) -> Vec<Value> {
    workload::from_dialogues(&workload::dialogues(limit).unwrap(), seed, 5)
}

#[test]
fn embedded_random() {
    whole_way(&Rig::embedded(3), &random(11, 2_500));
}

#[test]
fn embedded_dialogues() {
    whole_way(&Rig::embedded(4), &dialogues(150, 1));
}

#[test]
fn kafka_random() {
    whole_way(&Rig::kafka(3), &random(12, 2_500));
}

#[test]
fn kafka_dialogues() {
    whole_way(&Rig::kafka(4), &dialogues(150, 2));
}

#[test]
fn kafka_with_a_queue_that_is_always_full() {
    let queue = ("queue.buffering.max.messages", "100");
    whole_way(&Rig::kafka_with(&bootstrap(), 2, &[queue]), &random(13, 1_500));
}
