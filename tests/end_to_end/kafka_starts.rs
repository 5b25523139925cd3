//! The lines of the table of starts that need a Kafka to which something has happened: a log that was trimmed or made
//! anew, a group whose positions are gone or were set back.

use std::{fs, time::Duration};

use partyline_log::TopicKind;
use partyline_projector::{StartError, WorkError};
use partyline_tests::{
    process::Running,
    python::Admin,
    rig::{Rig, bootstrap, exactly_once},
    workload::command,
};
use partyline_wire::PositionRow;
use serde_json::json;

use super::starts::{NUMBER, copy_dir, start, talk};

/// Administration waits until a member that left is missed: let that be soon.
const SESSION: &str = "session.timeout.ms=3000";

/// A projector that must not start says so within this time.
const ENDS: Duration = Duration::from_secs(30);

/// A log of one partition, and somebody who may do anything to it.
struct Scene {
    rig: Rig,
    admin: Admin,
    topic: String,
}

impl Scene {
    fn new() -> Self {
        let rig = Rig::kafka_with(&bootstrap(), 1, &[SESSION.split_once('=').unwrap()]);
        let topic = rig.log.topics().commands.to_string();
        Self { rig, admin: Admin { bootstrap: bootstrap() }, topic }
    }

    /// Starts the projector where it must not, in this process and as the binary.
    fn refused(&self, expected: &StartError) {
        let error = start(&self.rig, "one").unwrap_err();
        assert!(matches!(&error, WorkError::Start(error) if error == expected), "{error}, not {expected}");
        let (log, data) = (format!("kafka:{}", bootstrap()), self.rig.data("one").root().display().to_string());
        fs::write(self.rig.data("one").root().join("member"), "one").unwrap();
        let said = self.rig.dir.path().join("said");
        let prefix = self.rig.prefix();
        let args = ["--log", &log, "--data", &data, "-X", SESSION, "project"];
        let mut running = Running::start(&args, &[("PARTYLINE_PREFIX", &prefix)], &said);
        let status = running.ended_within(ENDS).unwrap_or_else(|| panic!("did not end: {}", running.said()));
        assert_eq!(status.code(), Some(3), "{}", running.said());
        assert!(running.said().contains(&expected.to_string()), "{}", running.said());
    }

    fn set_position(&self, offset: u64) {
        self.admin.set_position(&self.rig.log.topics().group, &self.topic, 0, offset);
    }

    fn keep_store(&self) {
        copy_dir(self.rig.data("one").root(), self.rig.data("kept").root());
    }

    fn lose_store(&self) {
        fs::remove_dir_all(self.rig.data("one").project_store()).unwrap();
    }

    fn put_store_back(&self) {
        let _ = fs::remove_dir_all(self.rig.data("one").root());
        copy_dir(self.rig.data("kept").root(), self.rig.data("one").root());
    }
}

#[test]
fn kafka_trimmed_log() {
    let scene = Scene::new();
    let rig = &scene.rig;
    rig.publish(&talk(50));
    assert_eq!(start(rig, "one").unwrap(), 50);
    scene.keep_store();
    rig.publish(&talk(50)[1..]);
    assert_eq!(start(rig, "one").unwrap(), 49);
    scene.admin.trim(&scene.topic, 0, 80);
    // A store that is beyond: on from there.
    rig.publish(&[command("u1", NUMBER, "unsubscribe", json!({"service": "crm"}))]);
    assert_eq!(start(rig, "one").unwrap(), 1);
    // A store that is not, and none.
    scene.put_store_back();
    scene.refused(&StartError::LogTrimmed { partition: 0, begin: 80, needed: 50 });
    scene.lose_store();
    scene.refused(&StartError::LogTrimmed { partition: 0, begin: 80, needed: 0 });
}

#[test]
fn kafka_trimmed_before_anybody_read_it() {
    let scene = Scene::new();
    scene.rig.publish(&talk(50));
    scene.admin.trim(&scene.topic, 0, 7);
    fs::create_dir_all(scene.rig.data("one").root()).unwrap();
    scene.refused(&StartError::LogTrimmed { partition: 0, begin: 7, needed: 0 });
    assert!(scene.rig.services().is_empty(), "nothing was published");
}

#[test]
fn kafka_lost_positions() {
    let scene = Scene::new();
    let rig = &scene.rig;
    rig.publish(&talk(50));
    assert_eq!(start(rig, "one").unwrap(), 50);
    scene.keep_store();
    // Its channel, every conversation, every entry.
    let rows = 1 + 49 + 49;
    scene.admin.forget(&rig.log.topics().group);
    scene.refused(&StartError::StoreAhead { partition: 0, stored: 50, committed: None });
    scene.lose_store();
    scene.refused(&StartError::PositionsGone { partition: 0 });
    // What the error says helps: the position rows know, and then nothing is published again.
    let rows_read = rig.read(&rig.log.topics().view("desk"));
    let newest = rows_read.iter().rfind(|row| row.key == "position/0").unwrap();
    let newest = PositionRow::decode(&newest.value).unwrap();
    assert_eq!(newest.next_offset, 50);
    scene.set_position(newest.next_offset);
    rig.publish(&[command("u1", NUMBER, "unsubscribe", json!({"service": "crm"}))]);
    assert_eq!(start(rig, "one").unwrap(), 1);
    assert_eq!(rig.rows("desk").len(), rows);
    exactly_once(&rig.rows("desk"));
    rig.views_equal_replays();
    // Positions that were set back.
    scene.set_position(30);
    scene.refused(&StartError::StoreAhead { partition: 0, stored: 51, committed: Some(30) });
    assert_eq!(rig.rows("desk").len(), rows);
}

#[test]
fn kafka_log_made_anew() {
    let scene = Scene::new();
    let rig = &scene.rig;
    rig.publish(&talk(50));
    assert_eq!(start(rig, "one").unwrap(), 50);
    scene.admin.delete(&scene.topic);
    assert!(rig.log.create(&scene.topic, TopicKind::Commands, 1).unwrap());
    rig.publish(&talk(10));
    // The brokers forget the group's positions with the topic; somebody who puts them back helps nothing.
    scene.refused(&StartError::StoreAhead { partition: 0, stored: 50, committed: None });
    scene.set_position(50);
    scene.refused(&StartError::LogCutShort { partition: 0, end: 10, committed: 50 });
    scene.lose_store();
    scene.refused(&StartError::LogCutShort { partition: 0, end: 10, committed: 50 });
}

/// A projector that is over before the group has given it its partitions: it ends, every time.
#[test]
fn kafka_nothing_to_do() {
    let scene = Scene::new();
    let rig = &scene.rig;
    rig.publish(&talk(50));
    assert_eq!(start(rig, "one").unwrap(), 50);
    let (log, data, prefix) =
        (format!("kafka:{}", bootstrap()), rig.data("two").root().display().to_string(), rig.prefix());
    let args = ["--log", &log, "--data", &data, "project", "--until-end"];
    for run in 0..20 {
        let mut running = Running::start(&args, &[("PARTYLINE_PREFIX", &prefix)], &rig.dir.path().join("said"));
        let status = running.ended_within(ENDS).unwrap_or_else(|| panic!("run {run} did not end: {}", running.said()));
        assert!(status.success(), "{}", running.said());
    }
}
