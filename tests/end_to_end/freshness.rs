//! How fresh a view topic says it is: its position rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use partyline_log::{Offset, Partition};
use partyline_projector::{Project, Settings};
use partyline_tests::{
    rig::{Read, Rig},
    workload::{self, command},
};
use partyline_wire::{Outcomes, row_to_json};
use serde_json::{Value, json};

use crate::{
    ledger::tight,
    starts::{NUMBER, talk},
};

/// A record of a view topic.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A row, by the offset of its cause.
    Row(Offset),
    /// A position row: its next offset.
    Position(Offset),
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).map_or(0, |value| value.as_u64().unwrap())
}

/// Log time of every command.
pub type Clock = BTreeMap<(Partition, Offset), i64>;

pub fn clock(rig: &Rig) -> Clock {
    rig.read(&rig.log.topics().commands).into_iter().map(|record| (record.at, record.at_ms)).collect()
}

fn told(record: &Read, clock: &Clock) -> Told {
    let (json, partition) = (row_to_json(&record.value).unwrap(), record.at.0);
    let Some(position) = json.get("position") else { return Told::Row(number(&json["cause"], "offset")) };
    let next_offset = number(position, "next_offset");
    assert_eq!(record.key, format!("position/{partition}"));
    assert_eq!(number(position, "partition"), u64::from(partition), "{json}");
    assert_eq!(json.get("cause"), None, "{json}");
    let at_ms = position["at_ms"].as_i64().unwrap_or_default();
    let last = next_offset.checked_sub(1).and_then(|last| clock.get(&(partition, last)));
    assert_eq!(at_ms, last.copied().unwrap_or_default(), "{json}");
    Told::Position(next_offset)
}

/// A service's topic by partition. In each no offset goes back, below a position nothing comes after it, and nothing is
/// left without one.
pub fn topic(rig: &Rig, service: &str, clock: &Clock) -> BTreeMap<Partition, Vec<Told>> {
    let mut topic: BTreeMap<Partition, Vec<Told>> = BTreeMap::new();
    for record in rig.read(&rig.log.topics().view(service)) {
        topic.entry(record.at.0).or_default().push(told(&record, clock));
    }
    for (partition, all) in &topic {
        let (mut cause, mut next) = (0, 0);
        for (at, told) in all.iter().enumerate() {
            let place = || format!("{told:?}, record {at} of {service} in {partition}");
            match told {
                Told::Row(offset) => {
                    assert!(*offset >= next, "{} comes after position {next}", place());
                    assert!(*offset >= cause, "{} comes after {cause}", place());
                    cause = *offset;
                }
                Told::Position(next_offset) => {
                    assert!(*next_offset >= next, "{} comes after position {next}", place());
                    assert!(*next_offset >= cause, "{} comes after a row of {cause}", place());
                    next = *next_offset;
                }
            }
        }
        assert!(
            matches!(all.last(), Some(Told::Position(_))),
            "{service}: rows of {partition} after the last position"
        );
    }
    topic
}

/// What the outcomes topic says of transactions: the range of each, by partition.
fn transactions(rig: &Rig) -> BTreeMap<Partition, Vec<Outcomes>> {
    let mut ranges: BTreeMap<Partition, Vec<Outcomes>> = BTreeMap::new();
    for record in rig.read(&rig.log.topics().outcomes) {
        ranges.entry(record.at.0).or_default().push(Outcomes::decode(&record.value).unwrap());
    }
    ranges
}

/// Nothing is so old that a position row is due for it alone.
fn never() -> Settings {
    Settings { position_age: Duration::from_secs(1_000_000), batch_commands: 10, ..Settings::default() }
}

/// One life, and no history that takes several transactions: a position row for each transaction that touches the
/// topic, and besides at most the first of that life.
fn one_a_transaction(rig: &Rig) {
    rig.publish(&workload::random_mix(31, 1_500));
    rig.project_to_end("projector", never());
    let (clock, transactions) = (clock(rig), transactions(rig));
    let mut untouched = 0;
    for service in rig.services() {
        for (partition, all) in topic(rig, &service, &clock) {
            let causes: BTreeSet<_> = all.iter().filter_map(row).collect();
            let ranges = &transactions[&partition];
            let touching = ranges.iter().filter(|r| causes.range(r.first_offset..=r.last_offset).next().is_some());
            let expected: Vec<_> = touching.map(|range| range.last_offset + 1).collect();
            let mut found: Vec<_> = all.iter().filter_map(position).collect();
            if matches!(all[0], Told::Position(_)) {
                found.remove(0);
            }
            assert_eq!(found, expected, "{service}, partition {partition}");
            untouched += ranges.len() - expected.len();
        }
    }
    assert!(untouched > 20, "{untouched} transactions did not touch a topic");
}

fn row(told: &Told) -> Option<Offset> {
    if let Told::Row(offset) = told { Some(*offset) } else { None }
}

fn position(told: &Told) -> Option<Offset> {
    if let Told::Position(next_offset) = told { Some(*next_offset) } else { None }
}

#[test]
fn embedded_one_a_transaction() {
    one_a_transaction(&Rig::embedded(2));
}

#[test]
fn kafka_one_a_transaction() {
    one_a_transaction(&Rig::kafka(2));
}

/// Several lives, and a history that is told in pieces: each piece says that its subscribe is still to come.
#[test]
fn never_ahead_of_a_history() {
    let rig = Rig::embedded(1);
    for some in talk(9_000).chunks(3_100) {
        rig.publish(some);
        rig.project_to_end("projector", tight());
    }
    let message = json!({"customer": "+4915100000001", "content": {"text": "after"}});
    rig.publish(&[
        command("s2", NUMBER, "subscribe", json!({"service": "crm"})),
        command("m-last", NUMBER, "message", message),
    ]);
    rig.project_to_end("projector", Settings { batch_bytes: 4_096, ..Settings::default() });
    let clock = clock(&rig);
    topic(&rig, "desk", &clock);
    let crm = &topic(&rig, "crm", &clock)[&0];
    let pieces = crm.iter().filter(|told| **told == Told::Position(9_000)).count();
    assert!(pieces > 3, "the history came in {pieces} pieces");
    assert_eq!(crm.last(), Some(&Told::Position(9_002)));
}

/// A topic that nothing is written to says after a while how fresh it is, if the log moves; a projector that begins says
/// so at once, as it does not know when it was said.
#[test]
fn a_quiet_topic_says_so_after_a_while() {
    let rig = Rig::embedded(1);
    let settings = || Settings { position_age: Duration::from_secs(1_000), ..Settings::default() };
    let (quiet, busy) = ("+4930111333", NUMBER);
    rig.publish(&[
        command("s1", quiet, "subscribe", json!({"service": "crm"})),
        command("s2", busy, "subscribe", json!({"service": "desk"})),
    ]);
    let began = Instant::now();
    let committed = || rig.log.committed().unwrap().first().map_or(0, |(_, committed)| committed.next_offset);
    let step_to = |project: &mut Project, end: Offset, after_s: u64| {
        rig.step_until(project, || began + Duration::from_secs(after_s), |_| committed() >= end).unwrap();
    };
    let mut end = 2;
    let mut message_at = |project: &mut Project, after_s: u64| {
        let body = json!({"customer": "7", "message_id": format!("w{end}"), "content": {"text": "x"}});
        rig.publish(&[command(&format!("m{end}"), busy, "message", body)]);
        end += 1;
        step_to(project, end, after_s);
        let mut crm = topic(&rig, "crm", &clock(&rig)).remove(&0).unwrap();
        crm.retain(|told| row(told).is_none());
        crm
    };
    let at = |offsets: &[Offset]| offsets.iter().map(|offset| Told::Position(*offset)).collect::<Vec<_>>();
    let mut project = rig.project("projector", settings()).unwrap();
    step_to(&mut project, 2, 0);
    assert_eq!(message_at(&mut project, 999), at(&[2]));
    assert_eq!(message_at(&mut project, 1_000), at(&[2, 4]));
    assert_eq!(message_at(&mut project, 1_999), at(&[2, 4]));
    assert_eq!(message_at(&mut project, 2_000), at(&[2, 4, 6]));
    project.close(began + Duration::from_secs(2_000)).unwrap();
    let mut project = rig.project("projector", settings()).unwrap();
    assert_eq!(message_at(&mut project, 2_001), at(&[2, 4, 6, 7]));
    assert_eq!(message_at(&mut project, 2_002), at(&[2, 4, 6, 7]));
}
