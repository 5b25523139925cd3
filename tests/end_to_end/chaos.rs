//! Exactly once, whatever happens to processes and brokers meanwhile.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use partyline_log::{Backend, Event, Intake, LogError, Records, TopicKind};
use partyline_tests::{
    process::{Broker, Running, run},
    rig::{PATIENCE, Read, Rig, bootstrap, connect, exactly_once},
    workload,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

const KILLS: usize = 30;

/// So many commands flow, some of them with history to publish.
const COMMANDS: usize = 50_000;

/// From real dialogues, as often as it takes.
fn commands(count: usize, seed: u64) -> Vec<Value> {
    let some = workload::dialogues(count / 14).unwrap();
    let mut commands = Vec::new();
    let mut dialogues = Vec::new();
    while commands.len() < count {
        dialogues.extend(some.iter().cycle().take(some.len().max(count / 14)).cloned());
        commands = workload::from_dialogues(&dialogues, seed, 6);
    }
    commands.truncate(count);
    commands
}

/// A log, and the arguments with which the binary finds it.
struct Scene {
    rig: Rig,
    args: Vec<String>,
    prefix: String,
}

impl Scene {
    fn new(rig: Rig, log: String) -> Self {
        let prefix = rig.prefix();
        Self { rig, args: vec!["--log".to_owned(), log], prefix }
    }

    fn kafka(bootstrap: &str) -> Self {
        Self::new(Rig::kafka_at(bootstrap, 4), format!("kafka:{bootstrap}"))
    }

    fn embedded() -> Self {
        let rig = Rig::embedded(4);
        let log = format!("embedded:{}", rig.dir.path().join("log").display());
        Self::new(rig, log)
    }

    fn project(&self, data: &str, until_end: bool) -> Running {
        self.start(data, if until_end { &["project", "--until-end"] } else { &["project"] })
    }

    fn start(&self, data: &str, verbs: &[&str]) -> Running {
        let data = self.rig.data(data).root().display().to_string();
        let mut args = [verbs, &["--data", &data]].concat();
        args.extend(self.args.iter().map(String::as_str));
        // Small, so that a kill finds a transaction or a checkpoint under way.
        let env = [
            ("PARTYLINE_PREFIX", self.prefix.as_str()),
            ("PARTYLINE_BATCH_COMMANDS", "500"),
            ("PARTYLINE_PART_KB", "32"),
            ("PARTYLINE_CHECKPOINT_COMMANDS", "2000"),
            ("PARTYLINE_CHECKPOINT_S", "1"),
        ];
        Running::start(&args, &env, &self.rig.dir.path().join("said"))
    }

    /// What the processes said.
    fn said(&self) -> String {
        std::fs::read_to_string(self.rig.dir.path().join("said")).unwrap_or_default()
    }

    /// All rows are there once, in order, none missing; views equal replays.
    fn is_whole(&self, watched: Option<BTreeMap<String, Vec<Read>>>) {
        for service in self.rig.services() {
            let rows = self.rig.rows(&service);
            exactly_once(&rows);
            if let Some(seen) = watched.as_ref().and_then(|watched| watched.get(&service)) {
                assert!(rows.starts_with_each_partition(seen), "the concurrent reader of {service} saw other rows");
            }
        }
        self.rig.views_equal_replays();
    }
}

trait StartsWith {
    fn starts_with_each_partition(&self, seen: &[Read]) -> bool;
}

impl StartsWith for Vec<Read> {
    /// What a reader saw on the way is the beginning of what is there in the end, partition by partition.
    fn starts_with_each_partition(&self, seen: &[Read]) -> bool {
        let mut partitions: BTreeMap<u32, Vec<&Read>> = BTreeMap::new();
        seen.iter().for_each(|read| partitions.entry(read.at.0).or_default().push(read));
        partitions.into_iter().all(|(partition, seen)| {
            self.iter().filter(|read| read.at.0 == partition).zip(&seen).filter(|(a, b)| a == *b).count() == seen.len()
        })
    }
}

/// Reads every view topic as it grows, committed rows only.
fn watch(log: Arc<dyn Backend>, stop: Arc<AtomicBool>) -> thread::JoinHandle<BTreeMap<String, Vec<Read>>> {
    thread::spawn(move || {
        let mut readers = BTreeMap::new();
        let mut seen: BTreeMap<String, Vec<Read>> = BTreeMap::new();
        let mut records = Records::default();
        while !stop.load(Ordering::Relaxed) {
            for topic in log.list().unwrap_or_default() {
                if let Some(service) = log.topics().service(&topic)
                    && !readers.contains_key(service)
                    && let Ok(bounds) = log.bounds(&topic)
                {
                    let from: Vec<_> = bounds.iter().map(|b| (b.partition, b.begin)).collect();
                    readers.insert(service.to_owned(), log.reader(&topic, &from).unwrap());
                }
            }
            for (service, reader) in &mut readers {
                reader.next(&mut records, Duration::from_millis(5)).unwrap();
                seen.entry(service.clone()).or_default().extend(
                    records.iter().filter(|r| !r.key.unwrap_or_default().starts_with(b"position/")).map(|record| {
                        Read {
                            at: (record.partition, record.offset),
                            at_ms: record.at_ms,
                            key: String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned(),
                            value: record.value.unwrap_or_default().to_vec(),
                            headers: record.headers.to_vec(),
                        }
                    }),
                );
            }
        }
        seen
    })
}

/// Kills the projector again and again while commands flow.
fn survives_kills(scene: &Scene, commands: &[Value], seed: u64) {
    let stop = Arc::new(AtomicBool::new(false));
    let watcher = watch(Arc::clone(&scene.rig.log), Arc::clone(&stop));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut sent, mut positions) = (0, Vec::new());
    for some in commands.chunks(commands.len().div_ceil(KILLS)) {
        let running = scene.project("killed", false);
        scene.rig.publish(some);
        sent += some.len() as u64;
        let before = taken(&scene.rig);
        if rng.random_ratio(2, 3) {
            // In its work; otherwise perhaps while it starts.
            until(|| taken(&scene.rig) > before || before == sent);
        }
        running.kill_after(Duration::from_millis(rng.random_range(20..400)));
        positions.push(taken(&scene.rig));
    }
    assert_eq!(positions.len(), KILLS);
    positions.dedup();
    eprintln!("positions after kills: {positions:?}");
    assert!(positions.len() > KILLS / 2, "most of the lives did nothing: {positions:?}");
    scene.project("killed", true).succeeds();
    stop.store(true, Ordering::Relaxed);
    let seen = watcher.join().unwrap();
    scene.is_whole(Some(seen));
}

#[test]
fn kafka_kills() {
    survives_kills(&Scene::kafka(&bootstrap()), &commands(COMMANDS, 31), 31);
}

#[test]
fn embedded_kills() {
    survives_kills(&Scene::embedded(), &commands(COMMANDS, 32), 32);
}

/// How many commands the group has taken.
fn taken(rig: &Rig) -> u64 {
    rig.log.committed().unwrap_or_default().iter().map(|(_, committed)| committed.next_offset).sum()
}

/// Waits until something is so.
fn until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it was not so after {PATIENCE:?}");
    }
}

/// Waits until the group has taken so many commands.
fn committed(scene: &Scene, commands: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let done = taken(&scene.rig);
        if done >= commands {
            return;
        }
        assert!(Instant::now() < deadline, "only {done} of {commands} commands were taken:\n{}", scene.said());
    }
}

/// One projector, then three, then one, during a load.
#[test]
fn kafka_rebalance() {
    let scene = Scene::kafka(&bootstrap());
    let commands = commands(12_000, 33);
    let (first, rest) = commands.split_at(4_000);
    let (second, third) = rest.split_at(4_000);
    let one = scene.project("one", false);
    scene.rig.publish(first);
    committed(&scene, 1_000);
    let two = scene.project("two", false);
    let three = scene.project("three", false);
    scene.rig.publish(second);
    committed(&scene, 8_000);
    for leaving in [two, one] {
        let (status, time) = leaving.terminate();
        assert!(status.success() && time < Duration::from_secs(5), "{status} after {time:?}");
    }
    scene.rig.publish(third);
    committed(&scene, 12_000);
    assert!(three.terminate().0.success());
    scene.is_whole(None);
}

/// What a member says next, or an idle moment later.
fn next(member: &mut dyn Intake) -> Event {
    member.next(&mut Records::default(), Duration::from_millis(20)).unwrap()
}

/// A projector ends when it is told to give partitions up to a second one, before it has answered, and comes back at
/// once: the second one gets them.
#[test]
fn kafka_end_before_partitions_are_given_up() {
    let rig = Rig::kafka(4);
    let mut one = rig.log.intake("one").unwrap();
    until(|| matches!(next(&mut *one), Event::Gained(_)));
    let mut two = rig.log.intake("two").unwrap();
    until(|| {
        next(&mut *two);
        matches!(next(&mut *one), Event::Losing(_))
    });
    drop(one);
    let mut one = rig.log.intake("one").unwrap();
    until(|| {
        next(&mut *one);
        matches!(next(&mut *two), Event::Gained(_))
    });
}

/// Whatever is asked of a broker that is away fails in passing, so that no worker ends for it.
fn everything_fails_in_passing(log: &dyn Backend) {
    let topics = log.topics();
    let (new, view) = (topics.view("new"), topics.view("desk"));
    let asks: [&(dyn Fn() -> Result<(), LogError> + Sync); 6] = [
        &|| log.create(&new, TopicKind::View, 4).map(drop),
        &|| log.check(&view, TopicKind::View, 4).map(drop),
        &|| log.partitions(&view).map(drop),
        &|| log.bounds(&view).map(drop),
        &|| log.list().map(drop),
        &|| log.committed().map(drop),
    ];
    thread::scope(|scope| {
        for (index, ask) in asks.iter().enumerate() {
            scope.spawn(move || {
                let failed = ask().expect_err("the broker is away");
                assert!(failed.is_passing(), "{index}: {failed}");
            });
        }
    });
}

/// Several processes find at once that a topic is missing: whoever makes it, each of them knows it afterwards.
#[test]
fn kafka_topics_made_by_several() {
    let rig = Rig::kafka(1);
    let (topics, together) = (rig.log.topics(), Barrier::new(4));
    let make = || -> Vec<_> {
        let log = connect(&bootstrap(), topics.clone(), &[]);
        let views = (0..10).map(|n| topics.view(&format!("service{n}")));
        let made = views.map(|topic| {
            together.wait();
            (log.create(&topic, TopicKind::View, 20), log.partitions(&topic))
        });
        made.collect()
    };
    let all: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|(_, found)| matches!(found, Ok(Some(20)))), "{all:?}");
    assert_eq!(all.iter().filter(|(made, _)| matches!(made, Ok(true))).count(), 10, "{all:?}");
}

/// Two processes with one name, as of a copied data directory: one of them ends and says why, the other goes on.
#[test]
fn kafka_twins() {
    let scene = Scene::kafka(&bootstrap());
    let commands = commands(4_000, 35);
    let (first, rest) = commands.split_at(2_000);
    let mut twins: Vec<_> = ["one", "two"]
        .map(|data| {
            let layout = scene.rig.data(data);
            std::fs::create_dir_all(layout.root()).unwrap();
            std::fs::write(layout.root().join("member"), "twin").unwrap();
            scene.project(data, false)
        })
        .into();
    scene.rig.publish(first);
    let mut ended = None;
    until(|| {
        let over = |twin: &mut Running| twin.ended_within(Duration::ZERO);
        ended = twins.iter_mut().enumerate().find_map(|(index, twin)| Some((index, over(twin)?)));
        ended.is_some()
    });
    let (index, status) = ended.unwrap();
    assert_eq!(status.code(), Some(3), "{}", scene.said());
    assert!(scene.said().contains("partyline: IN_USE: another process runs as the same member"), "{}", scene.said());
    twins.remove(index);
    scene.rig.publish(rest);
    committed(&scene, 4_000);
    assert!(twins.remove(0).terminate().0.success());
    scene.is_whole(None);
}

/// The broker goes away in the middle, for longer than a session of the group lasts, and comes back: projector and view
/// wait, and go on.
#[test]
fn kafka_broker_restart() {
    let broker = Broker::start();
    let scene = Scene::kafka(&broker.bootstrap);
    let commands = commands(9_000, 34);
    let (first, rest) = commands.split_at(4_000);
    let running = scene.project("one", false);
    scene.rig.publish(first);
    committed(&scene, 1_000);
    let service = scene.rig.services().remove(0);
    let viewing = scene.start("viewer", &["view", "follow", &service]);
    until(|| scene.rig.data("viewer").view_store(&service).exists());
    broker.restart(|| everything_fails_in_passing(&*scene.rig.log));
    scene.rig.publish(rest);
    committed(&scene, 9_000);
    assert!(running.terminate().0.success());
    scene.is_whole(None);
    // What the view has by itself, without reading anything more.
    let rows = scene.rig.replay(&service, &[]).rows.to_string();
    let data = scene.rig.data("viewer").root().display().to_string();
    until(|| {
        let output = run(&["view", "digest", &service, "--json", "--data", &data], &[]);
        String::from_utf8_lossy(&output.stdout).contains(&format!("\"rows\":{rows}"))
    });
    assert!(viewing.terminate().0.success());
    assert_eq!(scene.rig.follow(&service, "viewer").digest, scene.rig.replay(&service, &[]).digest);
}
