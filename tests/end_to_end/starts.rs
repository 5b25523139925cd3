//! Starting on a partition: every line of the table, on a real log; and a long history cut by a stop.

use std::{
    fs,
    time::{Duration, Instant},
};

use partyline_log::LogError;
use partyline_projector::{Settings, StartError, WorkError};
use partyline_tests::{
    rig::{Rig, exactly_once},
    workload::{self, command},
};
use serde_json::{Value, json};

const NUMBER: &str = "+4930111222";

fn talk(count: usize) -> Vec<Value> {
    let subscribe = command("s1", NUMBER, "subscribe", json!({"service": "desk"}));
    let messages = (1..count).map(|n| {
        let body =
            json!({"customer": format!("+49151{n:08}"), "message_id": format!("w{n}"), "content": {"text": "x"}});
        command(&format!("m{n}"), NUMBER, "message", body)
    });
    std::iter::once(subscribe).chain(messages).collect()
}

/// Steps a new projector until it fails, or has done everything.
fn start(rig: &Rig, name: &str) -> Result<u64, WorkError> {
    let mut project = rig.project(name, Settings::default())?;
    let end: u64 = rig.log.bounds(&rig.log.topics().commands)?.iter().map(|b| b.end).sum();
    let deadline = Instant::now() + partyline_tests::rig::PATIENCE;
    while project.positions().map(|(_, at)| at).sum::<u64>() < end {
        assert!(Instant::now() < deadline);
        project.step(Instant::now(), Duration::from_millis(5))?;
    }
    project.close(Instant::now()).map(|counts| counts.commands)
}

#[test]
fn embedded_starts() {
    let rig = Rig::embedded(1);
    let files = rig.dir.path().join("log");
    let copy = |to: &str| copy_dir(&files, &rig.dir.path().join(to));
    // No store, no position, nothing published: from 0.
    rig.publish(&talk(50));
    copy("before");
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

fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Deletes the group's positions, as expiry does.
fn forget_positions(rig: &Rig) {
    let status = std::process::Command::new("python3")
        .arg("-c")
        .arg("import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('DELETE FROM positions')\nc.commit()")
        .arg(sqlite_file(rig))
        .status()
        .unwrap();
    assert!(status.success());
}

fn sqlite_file(rig: &Rig) -> std::path::PathBuf {
    let files = fs::read_dir(rig.dir.path().join("log")).unwrap().map(|entry| entry.unwrap().path());
    let is_database =
        |path: &std::path::PathBuf| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3"));
    files.into_iter().find(is_database).expect("the log's file")
}

#[test]
fn lost_positions_stop_it() {
    let rig = Rig::embedded(1);
    rig.publish(&talk(50));
    assert_eq!(start(&rig, "one").unwrap(), 50);
    forget_positions(&rig);
    // No store and no position, but rows.
    let error = start(&rig, "two").unwrap_err();
    assert!(matches!(error, WorkError::Start(StartError::PositionsGone { partition: 0 })), "{error}");
    assert!(error.to_string().contains("position/0"), "{error}");
    // A store, and no position.
    let error = start(&rig, "one").unwrap_err();
    assert!(matches!(error, WorkError::Start(StartError::StoreAhead { stored: 50, committed: None, .. })), "{error}");
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
        let deadline = Instant::now() + partyline_tests::rig::PATIENCE;
        while committed_rows(rig) == before && rig.log.committed().unwrap()[0].1.next_offset < 9_002 {
            assert!(Instant::now() < deadline, "no transaction was committed");
            project.step(Instant::now(), Duration::from_millis(5)).unwrap();
        }
        // Dropped as a crash would: no checkpoint, no goodbye.
    }
    rig.project_to_end("one", Settings::default());
    exactly_once(&rig.rows("crm"));
    // Its channel, every conversation, every entry (all 8,999 messages, and the last one).
    assert_eq!(rig.rows("crm").len(), 1 + 8_999 + 8_999 + 1);
    rig.views_equal_replays();
}

fn committed_rows(rig: &Rig) -> String {
    rig.log.committed().unwrap().iter().map(|(_, committed)| committed.metadata.clone()).collect()
}

#[test]
fn embedded_history_cut() {
    cut_history(&Rig::embedded(1));
}

#[test]
fn kafka_history_cut() {
    cut_history(&Rig::kafka(1));
}

/// Masked replies are nowhere among what another service has.
#[test]
fn nothing_leaks() {
    let rig = Rig::embedded(2);
    let base = workload::from_dialogues(&workload::dialogues(60).unwrap(), 5, 3);
    let (commands, markers) = workload::with_markers(&workload::all_masked(&base), 5);
    rig.publish(&commands);
    rig.project_to_end("projector", Settings::default());
    rig.views_equal_replays();
    assert!(markers.len() > 100);
    for service in rig.services() {
        rig.follow(&service, &format!("only-{service}"));
        let mut bytes = Vec::new();
        read_all(rig.data(&format!("only-{service}")).root(), &mut bytes);
        rig.rows(&service).iter().for_each(|row| bytes.extend_from_slice(&row.value));
        let text = String::from_utf8_lossy(&bytes);
        for (author, marker) in markers.iter().filter(|(author, _)| *author != service) {
            assert!(!text.contains(marker.as_str()), "{service} has {marker} of {author}");
        }
        let own = markers.iter().filter(|(author, _)| *author == service).filter(|(_, m)| text.contains(m.as_str()));
        assert!(own.count() > 0, "{service} does not even have its own");
    }
}

fn read_all(dir: &std::path::Path, bytes: &mut Vec<u8>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            read_all(&entry.path(), bytes);
        } else {
            bytes.extend(fs::read(entry.path()).unwrap());
        }
    }
}
