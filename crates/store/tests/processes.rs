//! Processes that are killed at any moment leave a whole checkpoint, and what one writes does not stay in its memory.
//! Each test runs itself again as that process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Write},
    ops::ControlFlow,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use partyline_store::{Checkpoint, Codec, Database, Identity, Lifetime, Options, Part, Store, StoreError};

const CHILD: &str = "PARTYLINE_STORE_PROCESS";
const KILLS: u64 = 30;

const CODEC: Codec<Vec<u8>> = Codec {
    encode: |record, bytes| bytes.extend_from_slice(record),
    decode: |bytes| Ok(bytes.to_vec()),
    weigh: |record| size_of::<Vec<u8>>() + record.capacity(),
    keep: |record| !record.is_empty(),
    growth: None,
};

fn identity() -> Identity {
    let text = str::to_owned;
    let (role, log_id, topic, generation) = (text("project"), text("log"), text("commands"), text("v1"));
    Identity { role, log_id, topic, generation, format: 1 }
}

/// Opens the store, which is never lost. It takes snapshots often, so that kills meet them.
fn open(dir: &Path) -> Database {
    let options = Options { sled_cache_bytes: 8 << 20, lifetime: Lifetime::Lasting { snapshot_bytes: 100_000 } };
    let opened = Database::open(dir, &identity(), options).unwrap();
    assert_eq!(opened.moved_aside, None);
    opened.database
}

/// Numbers that look random and depend on `seed` alone.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

type Named = Vec<(String, Vec<u8>)>;

/// What step number `step` does: records that it sets, and records that it appends.
fn step(step: u64) -> (Named, Named) {
    let mut seed = step;
    let text = |what: &str, length: u64| format!("{what} of step {step}; ").repeat(length as usize).into_bytes();
    let records = (0..20).map(|_| {
        let length = [0, 1, 3, 10, 400][random(&mut seed) as usize % 5];
        (format!("key-{}", random(&mut seed) % 3_000), text("record", length))
    });
    let records = records.collect();
    let appended = (0..10).map(|_| {
        let length = [1, 3, 10, 30, 500][random(&mut seed) as usize % 5];
        (format!("list-{}", random(&mut seed) % 30), text("entry", length))
    });
    (records, appended.collect())
}

/// The process that is killed: goes on from where the store is, as fast as it can, while checkpoints are on their way, and
/// says which count.
fn run(dir: &Path) -> ! {
    let database = open(dir);
    let mut store = database.store("s").unwrap();
    let mut at = store.position().map_or(0, |position| u64::from_be_bytes(position.try_into().unwrap()));
    let mut table = store.table("records", CODEC).unwrap();
    let mut lengths = store.table("lengths", CODEC).unwrap();
    let mut journal = store.journal("lists").unwrap();
    let mut keeping: Option<(u64, Checkpoint)> = None;
    loop {
        let (records, appended) = step(at);
        for (key, record) in records {
            *table.write(key.as_bytes()).unwrap() = record;
        }
        for (list, record) in appended {
            let length = lengths.write(list.as_bytes()).unwrap();
            let index = length.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            journal.append(&list, index, &record).unwrap();
            *length = (index + 1).to_be_bytes().to_vec();
        }
        at += 1;
        journal.seal(at);
        journal.write_back(at).unwrap();
        if at.is_multiple_of(10) {
            table.trim(64 << 10);
            table.tidy(64 << 10).unwrap();
            lengths.tidy(64 << 10).unwrap();
        }
        if at.is_multiple_of(40) {
            if let Some((kept, begun)) = keeping.take() {
                begun.finish().unwrap();
                println!("at {kept}");
                std::io::stdout().flush().unwrap();
            }
            let parts: &mut [&mut dyn Part] = &mut [&mut table, &mut lengths, &mut journal];
            let mut begun = store.begin_checkpoint(&at.to_be_bytes(), parts).unwrap();
            begun.allow();
            keeping = Some((at, begun));
        }
    }
}

/// This test again, as a process of its own that is given a directory.
fn again(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(CHILD, dir);
    command
}

/// Lets a process run for a while, kills it, and returns the last checkpoint that it said it had.
fn run_and_kill(dir: &Path, seed: &mut u64) -> u64 {
    let mut child = again("killed_processes_leave_whole_checkpoints", dir).stdout(Stdio::piped()).spawn().unwrap();
    let (sender, receiver) = mpsc::channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut last = 0;
    let deadline = Instant::now() + Duration::from_millis(20 + random(seed) % 400);
    let mut heard = |line: String| last = line.strip_prefix("at ").map_or(last, |at| at.parse().unwrap());
    let end = loop {
        match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => heard(line),
            Err(end) => break end,
        }
    };
    assert_eq!(end, mpsc::RecvTimeoutError::Timeout, "the process ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap().ok();
    receiver.try_iter().for_each(heard);
    last
}

/// What the steps before a checkpoint made, to be compared with the store.
#[derive(Default)]
struct Expected {
    steps: u64,
    records: BTreeMap<String, Vec<u8>>,
    lists: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Expected {
    fn go_on_to(&mut self, until: u64) {
        for number in self.steps..until {
            let (records, appended) = step(number);
            self.records.extend(records);
            appended.into_iter().for_each(|(list, record)| self.lists.entry(list).or_default().push(record));
        }
        self.steps = until;
    }

    fn check(&self, store: &Store) -> Result<(), StoreError> {
        let mut kept = self.records.iter().filter(|(_, record)| !record.is_empty());
        store.table("records", CODEC)?.scan(b"", &mut |key, record| {
            assert!(kept.next().is_some_and(|(k, v)| (k.as_bytes(), v) == (key, &record)), "{}", key.escape_ascii());
            Ok(ControlFlow::Continue(()))
        })?;
        assert_eq!(kept.next(), None, "records are missing");
        let (mut lengths, journal) = (store.table("lengths", CODEC)?, store.journal("lists")?);
        for (list, records) in &self.lists {
            let length = records.len() as u64;
            assert_eq!(lengths.read(list.as_bytes())?, &length.to_be_bytes(), "{list}");
            let mut expected = records.iter();
            journal.read(list, 0, length, usize::MAX, usize::MAX, &mut |index, record| {
                assert!(expected.next().is_some_and(|expected| expected == record), "record {index} of {list}");
            })?;
            assert_eq!(expected.next(), None);
        }
        Ok(())
    }
}

#[test]
fn killed_processes_leave_whole_checkpoints() {
    if let Some(dir) = env::var_os(CHILD) {
        run(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let (mut seed, mut expected) = (1, Expected::default());
    for kill in 0..KILLS {
        let said = run_and_kill(&path, &mut seed);
        // Every second time the next process finds the store as the kill left it.
        if kill % 2 == 0 {
            continue;
        }
        let database = open(&path);
        let store = database.store("s").unwrap();
        let at = store.position().map_or(0, |position| u64::from_be_bytes(position.try_into().unwrap()));
        assert!(at >= said.max(expected.steps), "at {at} after {said} and {}", expected.steps);
        expected.go_on_to(at);
        expected.check(&store).unwrap();
    }
    assert!(expected.steps > 100, "they hardly ran: {}", expected.steps);
}

const WRITTEN_BYTES: usize = 192 << 20;
/// Without the reads that follow a write it is over 60 MB.
const RESIDENT_BYTES: usize = 50 << 20;

/// The process that writes: lists that grow in turn, of bytes that cannot be compressed.
fn write(dir: &Path) {
    let options = Options { sled_cache_bytes: 8 << 20, lifetime: Lifetime::Lasting { snapshot_bytes: u64::MAX } };
    let database = Database::open(dir, &identity(), options).unwrap().database;
    let mut journal = database.store("s").unwrap().journal("lists").unwrap();
    let mut seed = 1;
    for record in 0..WRITTEN_BYTES as u64 / 128 {
        let bytes: Vec<u8> = (0..16).flat_map(|_| random(&mut seed).to_le_bytes()).collect();
        journal.append(&format!("list-{}", record % 64), record / 64, &bytes).unwrap();
        if record.is_multiple_of(10_000) {
            journal.seal(record);
            journal.write_back(record).unwrap();
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: usize = kilobytes.trim().trim_end_matches(" kB").parse().unwrap();
    println!("\nresident {} MB", kilobytes >> 10);
    assert!(kilobytes << 10 < RESIDENT_BYTES, "{kilobytes} kB");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "sled holds half as much again in a debug build")]
fn what_is_written_does_not_stay_in_memory() {
    if let Some(dir) = env::var_os(CHILD) {
        return write(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let ran = again("what_is_written_does_not_stay_in_memory", &dir.path().join("store")).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()));
}
