//! Starting on a partition: every line of the table, on a real log; and a long history cut by a stop.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use partyline_log::{LogError, TopicKind};
use partyline_projector::{Project, Settings, StartError, WorkError};
use partyline_store::{Database, Lifetime, Options};
use partyline_tests::{
    rig::{PATIENCE, Rig, exactly_once},
    workload::command,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::freshness;

pub const NUMBER: &str = "+4930111222";

/// A subscription, and messages of as many customers.
pub fn talk(count: usize) -> Vec<Value> {
    let subscribe = command("s1", NUMBER, "subscribe", json!({"service": "desk"}));
    let messages = (1..count).map(|n| {
        let body =
            json!({"customer": format!("+49151{n:08}"), "message_id": format!("w{n}"), "content": {"text": "x"}});
        command(&format!("m{n}"), NUMBER, "message", body)
    });
    std::iter::once(subscribe).chain(messages).collect()
}

/// Steps a new projector until it fails, or has done everything.
pub fn start(rig: &Rig, name: &str) -> Result<u64, WorkError> {
    let mut project = rig.project(name, Settings::default())?;
    let end: u64 = rig.log.bounds(&rig.log.topics().commands)?.iter().map(|b| b.end).sum();
    let is_there = |project: &Project| project.positions().map(|(_, at)| at).sum::<u64>() >= end;
    rig.step_until(&mut project, Instant::now, is_there)?;
    project.close(Instant::now()).map(|counts| counts.commands)
}

#[test]
fn embedded_starts() {
    let rig = Rig::embedded(1);
    // No store, no position, nothing published: from 0.
    rig.publish(&talk(50));
    assert_eq!(start(&rig, "one").unwrap(), 50);
    // A store at the group's position: on from there.
    rig.publish(&[command("u1", NUMBER, "unsubscribe", json!({"service": "crm"}))]);
    assert_eq!(start(&rig, "one").unwrap(), 1);
    // No store: built from the log, publishing nothing, then on.
    rig.publish(&[command("u2", NUMBER, "unsubscribe", json!({"service": "crm"}))]);
    assert_eq!(start(&rig, "two").unwrap(), 1);
    // A store behind the group: folded up to it.
    assert_eq!(start(&rig, "one").unwrap(), 0);
    assert_eq!(rig.views_equal_replays().len(), 1);
    exactly_once(&rig.rows("desk"));
}

/// A copy of a folder's files and folders.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// An older copy of the log was put back: the group's positions are of then, the store is of now.
#[test]
fn lost_positions_stop_it() {
    let mut rig = Rig::embedded(1);
    let keep_log = |rig: &Rig, to: &str| copy_dir(&rig.dir.path().join("log"), &rig.dir.path().join(to));
    let talk = talk(50);
    rig.publish(&talk);
    keep_log(&rig, "unread");
    assert_eq!(start(&rig, "one").unwrap(), 50);
    keep_log(&rig, "read");
    rig.publish(&talk[..10]);
    assert_eq!(start(&rig, "one").unwrap(), 10);
    // A store, and an earlier position.
    rig.use_log("read");
    let error = start(&rig, "one").unwrap_err();
    let (stored, committed) = (60, Some(50));
    assert!(
        matches!(&error, WorkError::Start(e) if *e == StartError::StoreAhead { partition: 0, stored, committed }),
        "{error}"
    );
    // A store, and no position.
    rig.use_log("unread");
    let error = start(&rig, "one").unwrap_err();
    assert!(matches!(error, WorkError::Start(StartError::StoreAhead { stored: 60, committed: None, .. })), "{error}");
    // No store and no position, but a row.
    let view = rig.log.topics().view("desk");
    rig.log.create(&view, TopicKind::View, 1).unwrap();
    rig.append(&view, &[(0, b"channel/+4930111222".to_vec(), b"row".to_vec())]);
    let error = start(&rig, "two").unwrap_err();
    assert!(matches!(error, WorkError::Start(StartError::PositionsGone { partition: 0 })), "{error}");
    assert!(error.to_string().contains("position/0"), "{error}");
}

/// How many partitions have a checkpoint in a store that is in use; `None` where a copy was made in the middle of one.
fn kept(rig: &Rig, name: &str, partitions: u32) -> Option<usize> {
    let dir = TempDir::new().unwrap();
    let copy = dir.path().join("store");
    copy_dir(&rig.data(name).project_store(), &copy);
    let options = Options { sled_cache_bytes: 1 << 20, lifetime: Lifetime::Lasting { snapshot_bytes: u64::MAX } };
    let database = Database::open_existing(&copy, options).ok()?;
    let is_kept = |partition: &u32| database.store(&partition.to_string()).unwrap().position().is_some();
    Some((0..partitions).filter(is_kept).count())
}

/// What is kept after so many seconds, of a checkpoint age of 1,000.
fn kept_after(partitions: u32, expected: &[(u64, usize)]) {
    let rig = Rig::embedded(partitions);
    let numbers: Vec<String> = (10..99).map(|n| format!("+49301112{n}")).collect();
    let subscribe = |number: &String| command(&format!("s{number}"), number, "subscribe", json!({"service": "desk"}));
    rig.publish(&numbers.iter().map(subscribe).collect::<Vec<_>>());
    let settings = Settings { checkpoint_age: Duration::from_secs(1_000), ..Settings::default() };
    let mut project = rig.project("one", settings).unwrap();
    rig.step_to_end(&mut [&mut project]);
    let began = Instant::now();
    for (after_s, count) in expected {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // It is written while the projector goes on.
            project.step(began + Duration::from_secs(*after_s), Duration::from_millis(1)).unwrap();
            let kept = kept(&rig, "one", partitions);
            if kept == Some(*count) {
                break;
            }
            let text = format!("after {after_s} s of {partitions}: {kept:?} of {count}");
            assert!(kept.is_none_or(|kept| kept < *count) && Instant::now() < deadline, "{text}");
        }
    }
}

#[test]
fn by_time_one_partition_is_kept_after_the_other() {
    kept_after(2, &[(0, 0), (450, 0), (550, 1), (950, 1), (1_550, 2)]);
}

#[test]
fn by_time_many_partitions_are_kept_in_four_turns() {
    kept_after(10, &[(0, 0), (200, 0), (300, 3), (500, 3), (600, 5)]);
}

#[test]
fn a_second_embedded_projector_is_refused() {
    let rig = Rig::embedded(1);
    let _one = rig.project("one", Settings::default()).unwrap();
    let error = rig.project("two", Settings::default()).err().unwrap();
    assert!(matches!(error, WorkError::Log(LogError::InUse(_))), "{error}");
}

/// A history of many chunks is cut by throwing the projector away after each transaction; nothing is lost or repeated.
fn cut_history(rig: &Rig) {
    rig.publish(&talk(9_000));
    rig.project_to_end("one", Settings::default());
    rig.publish(&[
        command("s2", NUMBER, "subscribe", json!({"service": "crm", "display_others": "FULL"})),
        command("m-last", NUMBER, "message", json!({"customer": "+4915100000001", "content": {"text": "after"}})),
    ]);
    let small = Settings { batch_bytes: 4_096, ..Settings::default() };
    for _life in 0..6 {
        let mut project = rig.project("one", small.clone()).unwrap();
        let before = committed_rows(rig);
        let moved = || committed_rows(rig) != before || rig.log.committed().unwrap()[0].1.next_offset >= 9_002;
        rig.step_until(&mut project, Instant::now, |_| moved()).unwrap();
        // Dropped as a crash would: no checkpoint, no goodbye.
    }
    rig.project_to_end("one", Settings::default());
    exactly_once(&rig.rows("crm"));
    // Its channel, every conversation, every entry (all 8,999 messages, and the last one).
    assert_eq!(rig.rows("crm").len(), 1 + 8_999 + 8_999 + 1);
    rig.views_equal_replays();
    let told = freshness::topic(rig, "crm", &freshness::clock(rig));
    assert!(told[&0].iter().filter(|told| matches!(told, freshness::Told::Position(_))).count() > 6);
}

fn committed_rows(rig: &Rig) -> String {
    rig.log.committed().unwrap().iter().map(|(_, committed)| committed.metadata.clone()).collect()
}

/// A history leaves the others half of each transaction.
#[test]
fn a_piece_of_a_history_is_half_a_transaction() {
    let rig = Rig::embedded(1);
    rig.publish(&talk(9_000));
    rig.project_to_end("one", Settings::default());
    rig.publish(&[command("s2", NUMBER, "subscribe", json!({"service": "crm"}))]);
    let batch_bytes = 900_000;
    let settings = Settings { batch_bytes, batch_age: Duration::from_secs(60), ..Settings::default() };
    let mut project = rig.project("one", settings).unwrap();
    rig.step_until(&mut project, Instant::now, |_| !committed_rows(&rig).is_empty()).unwrap();
    let piece: usize = rig.rows("crm").iter().map(|row| row.key.len() + row.value.len()).sum();
    assert!(piece > 0 && piece < batch_bytes, "{piece} bytes");
}

#[test]
fn embedded_history_cut() {
    cut_history(&Rig::embedded(1));
}

#[test]
fn kafka_history_cut() {
    cut_history(&Rig::kafka(1));
}
