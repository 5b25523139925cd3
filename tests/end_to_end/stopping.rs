//! Stopping in time: SIGTERM in the middle of work ends every worker in under five seconds, whatever it is at, and the
//! next one goes on where it stopped.

use std::time::{Duration, Instant};

use partyline_projector::{Settings, View};
use partyline_tests::{
    process::Running,
    rig::{PATIENCE, Rig, bootstrap, exactly_once},
    workload::command,
};
use serde_json::{Value, json};

/// A worker that is told to stop is gone within this time.
const STOPS: Duration = Duration::from_secs(5);

/// More than a worker does before it is stopped.
const COMMANDS: usize = 2 * 150_000;

fn number(n: usize) -> String {
    format!("+4930{:07}", n % 8)
}

fn subscribe(service: &str, n: usize) -> Value {
    command(&format!("s{n}"), &number(n), "subscribe", json!({"service": service}))
}

/// Messages of many customers to a few numbers of three services, three of four to the first: its history is longer
/// than a transaction.
fn talk() -> Vec<Value> {
    let message = |n: usize| {
        let content = json!({"text": "Could you tell me when it will be here?"});
        let customer = format!("+49151{:07}", n % 5_000);
        let number = number(if n.is_multiple_of(4) { n / 4 } else { 0 });
        command(&format!("m{n}"), &number, "message", json!({"customer": customer, "content": content}))
    };
    (0..24).map(|n| subscribe(["desk", "crm", "marketing"][n / 8], n)).chain((24..COMMANDS).map(message)).collect()
}

/// A log with much to do, and how the binary finds it.
struct Scene {
    rig: Rig,
    log: String,
    prefix: String,
}

impl Scene {
    fn new(rig: Rig, log: String) -> Self {
        rig.publish(&talk());
        let prefix = rig.prefix();
        Self { rig, log, prefix }
    }

    fn kafka() -> Self {
        Self::new(Rig::kafka(4), format!("kafka:{}", bootstrap()))
    }

    fn embedded() -> Self {
        let rig = Rig::embedded(4);
        let log = format!("embedded:{}", rig.dir.path().join("log").display());
        Self::new(rig, log)
    }

    fn start(&self, data: &str, verbs: &[&str]) -> Running {
        let dir = self.rig.data(data).root().display().to_string();
        let args = [&["--log", &self.log, "--data", &dir], verbs].concat();
        Running::start(&args, &[("PARTYLINE_PREFIX", &self.prefix)], &self.rig.dir.path().join("said"))
    }

    fn committed(&self) -> u64 {
        self.rig.log.committed().unwrap_or_default().iter().map(|(_, committed)| committed.next_offset).sum()
    }

    /// How many partitions have a history that is out in part.
    fn half_told(&self) -> usize {
        let committed = self.rig.log.committed().unwrap_or_default();
        committed.iter().filter(|(_, committed)| !committed.metadata.is_empty()).count()
    }

    /// Lets a worker begin, and then stops it.
    fn stop_in_the_middle(&self, data: &str, verbs: &[&str], has_begun: impl Fn() -> bool) {
        let mut running = self.start(data, verbs);
        let deadline = Instant::now() + PATIENCE;
        while !has_begun() {
            assert!(running.ended_within(Duration::from_millis(1)).is_none(), "{verbs:?} ended: {}", self.said());
            assert!(Instant::now() < deadline, "{verbs:?} did not begin: {}", self.said());
        }
        let (status, time) = running.terminate();
        eprintln!("{verbs:?} stopped after {time:?}");
        assert!(status.success(), "{verbs:?}: {status}: {}", self.said());
        assert!(time < STOPS, "{verbs:?} took {time:?} to stop: {}", self.said());
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.rig.dir.path().join("said")).unwrap()
    }
}

/// A projector in its work, one that builds its store anew, a view, and a long history.
fn stops(scene: &Scene) {
    let rig = &scene.rig;
    let before = scene.committed();
    let begun = || scene.committed() > before + 2_000;
    scene.stop_in_the_middle("one", &["project"], begun);
    assert!(scene.committed() < COMMANDS as u64, "it was not in the middle");
    scene.start("one", &["project", "--until-end"]).succeeds();

    std::fs::remove_dir_all(rig.data("one").project_store()).unwrap();
    let said = |what: &str| scene.said().matches(what).count();
    let (gained, caught_up) = (said("gained a partition"), said("caught up"));
    scene.stop_in_the_middle("one", &["project"], || said("gained a partition") > gained);
    assert!(said("caught up") < caught_up + 4, "it was not in the middle");
    scene.start("one", &["project", "--until-end"]).succeeds();

    let dir = rig.data("one").view_store("crm");
    scene.stop_in_the_middle("one", &["view", "follow", "crm"], || dir.exists());
    let view = View::open(&rig.log, "crm", &dir, Settings::default(), Instant::now()).unwrap();
    let bounds = rig.log.bounds(&rig.log.topics().view("crm")).unwrap();
    assert!(bounds.iter().any(|bounds| view.position(bounds.partition) < bounds.end), "it was not in the middle");
    view.close().unwrap();

    // Whether a history is cut is chance: it may end before the signal comes.
    let cut = ["sales", "support", "billing", "returns", "legal", "press"].iter().any(|service| {
        rig.publish(&(0..8).map(|n| subscribe(service, n)).collect::<Vec<_>>());
        let view = rig.log.topics().view(service);
        scene.stop_in_the_middle("one", &["project"], || matches!(rig.log.partitions(&view), Ok(Some(_))));
        scene.half_told() > 0
    });
    assert!(cut, "no history was cut");

    scene.start("one", &["project", "--until-end"]).succeeds();
    for service in ["crm", "sales"] {
        exactly_once(&rig.rows(service));
        assert_eq!(rig.follow(service, "one").digest, rig.replay(service, &[]).digest, "{service}");
    }
}

#[test]
fn kafka_stops_in_time() {
    stops(&Scene::kafka());
}

#[test]
fn embedded_stops_in_time() {
    let scene = Scene::embedded();
    scene.stop_in_the_middle("up", &["up"], || scene.committed() > 2_000);
    assert!(scene.committed() < COMMANDS as u64, "it was not in the middle");
    stops(&scene);
}
