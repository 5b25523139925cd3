//! What producers are told: the outcomes topic says of every command of the log once what became of it.

use std::{collections::BTreeMap, time::Duration, time::Instant};

use partyline_log::{Offset, Partition};
use partyline_projector::Settings;
use partyline_tests::{
    encode::encode,
    naive::{Fed, Naive, Outcome},
    rig::{PATIENCE, Read, Rig},
    workload,
};
use partyline_wire::{Exception, Outcomes, Placed, Verdict, decode_command, partition_of};
use serde_json::Value;

use crate::{
    ledger::tight,
    starts::{NUMBER, talk},
};

const PARTITIONS: u32 = 2;

/// The outcomes of each partition, as they lie in the topic; their ranges cover `0..end` without gap or overlap.
fn told(rig: &Rig) -> BTreeMap<Partition, Vec<Outcomes>> {
    let mut told: BTreeMap<Partition, Vec<Outcomes>> = BTreeMap::new();
    for record in rig.read(&rig.log.topics().outcomes) {
        let outcomes = Outcomes::decode(&record.value).unwrap();
        assert_eq!((record.at.0, record.key.as_str()), (outcomes.partition, ""), "{outcomes:?}");
        told.entry(record.at.0).or_default().push(outcomes);
    }
    for bounds in rig.log.bounds(&rig.log.topics().commands).unwrap() {
        let mut next = 0;
        for range in told.get(&bounds.partition).into_iter().flatten() {
            assert_eq!(range.first_offset, next, "{range:?} in partition {}", bounds.partition);
            assert!(range.last_offset >= range.first_offset, "{range:?}");
            let within = |exception: &Exception| (range.first_offset..=range.last_offset).contains(&exception.offset);
            assert!(range.exceptions.iter().all(within), "{range:?}");
            next = range.last_offset + 1;
        }
        assert_eq!(next, bounds.end, "the last range of partition {}", bounds.partition);
    }
    told
}

/// Everything that is listed, in the order of the topic.
fn listed(told: &BTreeMap<Partition, Vec<Outcomes>>) -> Vec<(Partition, Offset, Verdict)> {
    let exceptions = told.iter().flat_map(|(p, ranges)| ranges.iter().flat_map(|r| &r.exceptions).map(|e| (*p, e)));
    exceptions.map(|(partition, exception)| (partition, exception.offset, exception.verdict.clone())).collect()
}

/// What the naive implementation makes of a record; nothing if it is accepted.
fn verdict(naive: &mut Naive, record: &Read, command: Option<&Value>) -> Option<Verdict> {
    let (partition, offset) = record.at;
    let fed = command.map(|command| naive.apply(Fed { partition, offset, at_ms: record.at_ms, command }));
    match fed {
        Some(Outcome::Accepted) => None,
        Some(Outcome::Duplicate) => Some(Verdict::Duplicate),
        Some(Outcome::Rejected { reason, .. }) => Some(Verdict::Rejected(reason)),
        Some(Outcome::Invalid) | None => {
            let placed = Placed { partition, partitions: PARTITIONS };
            let invalid = decode_command(Some(record.key.as_bytes()), Some(&record.value), placed).unwrap_err();
            Some(Verdict::Invalid(invalid.to_string()))
        }
    }
}

/// Records that are no commands: bytes, no bytes, and a good one where it does not belong.
fn misplaced() -> Vec<(Partition, Vec<u8>, Vec<u8>)> {
    let key = NUMBER.as_bytes();
    let home = partition_of(key, PARTITIONS);
    let elsewhere = encode(&talk(2)[1]);
    vec![
        (home, key.to_vec(), b"no command".to_vec()),
        (home, key.to_vec(), Vec::new()),
        (1 - home, key.to_vec(), elsewhere),
    ]
}

/// Steps a projector until it has committed more, and throws it away as a crash would.
fn crash_after_some(rig: &Rig) {
    let committed = || -> u64 { rig.log.committed().unwrap().iter().map(|(_, c)| c.next_offset).sum() };
    let mut project = rig.project("projector", tight()).unwrap();
    let (before, deadline) = (committed(), Instant::now() + PATIENCE);
    while committed() < before + 100 {
        assert!(Instant::now() < deadline, "nothing was committed");
        project.step(Instant::now(), Duration::from_millis(5)).unwrap();
    }
}

/// Several lives, one of which crashes, and many transactions.
fn every_command_is_told_of_once(rig: &Rig) {
    let commands = workload::with_bad_input(&workload::random_mix(21, 2_000), 21);
    for (life, some) in commands.chunks(commands.len().div_ceil(3)).enumerate() {
        rig.publish(some);
        rig.publish_raw(&misplaced());
        if life == 1 {
            crash_after_some(rig);
        }
        rig.project_to_end("projector", if life == 0 { Settings::default() } else { tight() });
    }
    let by_bytes: BTreeMap<Vec<u8>, &Value> = commands.iter().map(|command| (encode(command), command)).collect();
    let mut naive = Naive::new();
    let log = rig.read(&rig.log.topics().commands);
    let expected: Vec<_> = log
        .iter()
        .filter_map(|record| {
            let verdict = verdict(&mut naive, record, by_bytes.get(&record.value).copied());
            verdict.map(|verdict| (record.at.0, record.at.1, verdict))
        })
        .collect();
    let told = told(rig);
    assert_eq!(listed(&told), expected);

    // It was a mix, in many transactions, in every partition.
    let reasons: BTreeMap<_, usize> = expected.iter().fold(BTreeMap::new(), |mut counts, (partition, _, verdict)| {
        let kind = match verdict {
            Verdict::Duplicate => "DUPLICATE",
            Verdict::Rejected(reason) => reason,
            Verdict::Invalid(_) => "INVALID",
        };
        *counts.entry((*partition, kind)).or_default() += 1;
        counts
    });
    for partition in 0..PARTITIONS {
        assert!(told[&partition].len() > 10, "{} transactions", told[&partition].len());
        for kind in ["DUPLICATE", "INVALID", "NOT_SUBSCRIBED", "NOT_PARENT", "PICKED_UP", "NOT_HOLDER"] {
            assert!(reasons.contains_key(&(partition, kind)), "no {kind} in {partition}: {reasons:?}");
        }
    }
    assert!(expected.len() < log.len() * 3 / 4, "{} of {} were not accepted", expected.len(), log.len());
}

#[test]
fn embedded_every_command_is_told_of_once() {
    every_command_is_told_of_once(&Rig::embedded(PARTITIONS));
}

#[test]
fn kafka_every_command_is_told_of_once() {
    every_command_is_told_of_once(&Rig::kafka(PARTITIONS));
}

/// One record of the topic must stay small, however much is wrong.
#[test]
fn a_record_lists_at_most_4_000() {
    let rig = Rig::embedded(1);
    rig.publish(&talk(1));
    let again = (0, NUMBER.as_bytes().to_vec(), encode(&talk(1)[0]));
    rig.publish_raw(&vec![again; 9_000]);
    let settings = Settings { batch_age: Duration::from_secs(60), ..Settings::default() };
    rig.project_to_end("projector", settings);
    let told = told(&rig);
    let lengths: Vec<_> = told[&0].iter().map(|outcomes| outcomes.exceptions.len()).collect();
    assert!(lengths.iter().all(|length| *length <= 4_000), "{lengths:?}");
    let duplicates: Vec<_> = (1..=9_000).map(|offset| (0, offset, Verdict::Duplicate)).collect();
    assert_eq!(listed(&told), duplicates);
}
