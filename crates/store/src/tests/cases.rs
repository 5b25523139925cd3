//! Single cases of checkpoints, caches and misuse.

use std::time::{Duration, Instant};

use super::*;
use crate::{Due, Segment};

fn set(table: &mut Table<Bytes>, key: &str, value: &str) {
    *table.write(key.as_bytes()).unwrap() = value.as_bytes().to_vec();
}

fn get(table: &mut Table<Bytes>, key: &str) -> String {
    String::from_utf8(table.read(key.as_bytes()).unwrap().clone()).unwrap()
}

/// Begins a checkpoint that is cut off after `writes` batches, and ends the process.
fn interrupted(dir: &Path, writes: u64, changes: &[(&str, &str)]) {
    let mut store = reopen(dir);
    let mut table = store.table("t", CODEC).unwrap();
    changes.iter().for_each(|(key, value)| set(&mut table, key, value));
    store.fault_after(writes);
    assert!(store.checkpoint(b"interrupted", &mut [&mut table]).is_err());
    // Nothing goes on after a failure.
    assert!(matches!(store.checkpoint(b"again", &mut [&mut table]), Err(StoreError::Broken)));
    assert!(matches!(table.read(b"other"), Err(StoreError::Broken)));
}

fn complete(dir: &Path, position: &str, changes: &[(&str, &str)]) {
    let mut store = reopen(dir);
    let mut table = store.table("t", CODEC).unwrap();
    changes.iter().for_each(|(key, value)| set(&mut table, key, value));
    store.checkpoint(position.as_bytes(), &mut [&mut table]).unwrap();
}

fn check(dir: &Path, position: &str, expect: &[(&str, &str)]) {
    let store = reopen(dir);
    let mut table = store.table("t", CODEC).unwrap();
    assert_eq!(store.position(), (!position.is_empty()).then_some(position.as_bytes()));
    let expected = expect.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()));
    assert_eq!(rows(&table), expected.collect::<Vec<_>>());
    for (key, value) in expect {
        assert_eq!(get(&mut table, key), *value);
    }
}

#[test]
fn failed_attempts_never_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    // The first checkpoint ever is cut off, twice in a row.
    interrupted(dir, 1, &[("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")]);
    interrupted(dir, 1, &[("a", "y"), ("b", "y"), ("c", "y"), ("d", "y")]);
    check(dir, "", &[]);
    complete(dir, "1", &[("a", "1"), ("d", "1")]);
    check(dir, "1", &[("a", "1"), ("d", "1")]);
    // b and c of the failed attempts lie there with lower numbers than the committed one.
    interrupted(dir, 0, &[("a", "z"), ("b", "z"), ("c", "z"), ("d", "z")]);
    interrupted(dir, 1, &[("a", "w"), ("b", "w"), ("c", "w"), ("d", "w")]);
    complete(dir, "2", &[("b", "2")]);
    check(dir, "2", &[("a", "1"), ("b", "2"), ("d", "1")]);
}

#[test]
fn removed_records_stay_removed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    for (position, value) in [("1", "1"), ("2", "2")] {
        complete(dir, position, &[("a", value), ("b", "b")]);
        interrupted(dir, 0, &[("a", "")]);
        check(dir, position, &[("a", value), ("b", "b")]);
    }
    complete(dir, "3", &[("a", "")]);
    check(dir, "3", &[("b", "b")]);
    assert_eq!(get(&mut reopen(dir).table("t", CODEC).unwrap(), "a"), "");
    complete(dir, "4", &[("a", "4")]);
    check(dir, "4", &[("a", "4"), ("b", "b")]);
}

fn due<'a>(store: &'a mut Store, part: &'a mut dyn Part, position: &str) -> Due<'a> {
    Due { store, position: position.as_bytes().to_vec(), parts: vec![part] }
}

/// Several stores of one database move together or not at all, whichever write is refused, or if they may not.
#[test]
fn stores_are_kept_together() {
    for (writes, may) in (0..6).map(|writes| (writes, true)).chain([(6, false)]) {
        let dir = tempfile::tempdir().unwrap();
        let dir = &dir.path().join("store");
        let database = open(dir).unwrap().database;
        let (mut one, mut two) = (database.store("1").unwrap(), database.store("2").unwrap());
        assert!(matches!(database.store("1"), Err(StoreError::Misuse(_))));
        let (mut a, mut b) = (one.table("t", CODEC).unwrap(), two.table("t", CODEC).unwrap());
        let mut done = Vec::new();
        for position in ["1", "2"] {
            (0..5).for_each(|n| set(&mut a, &format!("a{n}"), position));
            (0..5).for_each(|n| set(&mut b, &format!("b{n}"), position));
            if position == "2" {
                database.base.batches_until_fault.store(writes, std::sync::atomic::Ordering::Relaxed);
            }
            let due = &mut [due(&mut one, &mut a, position), due(&mut two, &mut b, position)];
            let mut begun = database.begin_checkpoint(due).unwrap();
            let mut pieces = 1;
            let mut written = Ok(false);
            while matches!(written, Ok(false)) {
                written = begun.go_on(due, 20);
                pieces += 1;
            }
            assert!(pieces > 5 || written.is_err());
            done.push((may || position == "1") && written.and_then(|_| begun.finish()).is_ok());
        }
        assert_eq!(done[1], a.read(b"other").is_ok(), "nothing goes on after a failure");
        drop((a, b, one, two, database));
        let expected = if done[1] { "2" } else { "1" };
        assert_eq!(done, [true, writes > 2 && may], "{writes}");
        let database = open(dir).unwrap().database;
        for name in ["1", "2"] {
            let store = database.store(name).unwrap();
            assert_eq!(store.position(), Some(expected.as_bytes()));
            let rows = rows(&store.table("t", CODEC).unwrap());
            assert_eq!(rows.len(), 5);
            assert!(rows.iter().all(|(_, value)| value == expected.as_bytes()), "{writes}");
        }
    }
}

#[test]
fn what_a_checkpoint_has_encoded_is_found_before_it_is_on_its_way() {
    let dir = tempfile::tempdir().unwrap();
    let Alone { mut store, database } = reopen(&dir.path().join("store"));
    let mut table = store.table("t", GROWN).unwrap();
    let keys: Vec<_> = (0..10).map(|n| format!("key-{n}")).collect();
    let grow = |table: &mut Table<Grown>, by| {
        keys.iter().for_each(|key| table.write(key.as_bytes()).unwrap().all.extend(vec![7; by]));
    };
    grow(&mut table, 10);
    store.checkpoint(b"1", &mut [&mut table]).unwrap();
    grow(&mut table, 5);
    let mut begun = database.begin_checkpoint(&mut [due(&mut store, &mut table, "2")]).unwrap();
    let mut kept_in_all = Vec::new();
    while !begun.go_on(&mut [due(&mut store, &mut table, "")], 1).unwrap() {
        let mut kept = 0;
        for key in &keys {
            let stored = Grown::read(&table.stored(key.as_bytes()).unwrap().unwrap()).unwrap();
            assert_eq!(table.read(key.as_bytes()).unwrap().kept, stored.all.len());
            kept += stored.all.len();
        }
        kept_in_all.push(kept);
    }
    kept_in_all.dedup();
    assert!(kept_in_all.into_iter().eq((1..=10).map(|encoded| 100 + 5 * encoded)));
    begun.finish().unwrap();
}

#[test]
fn a_checkpoint_is_not_finished_without_a_part_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    let database = open(dir).unwrap().database;
    let (mut one, mut two) = (database.store("1").unwrap(), database.store("2").unwrap());
    let (mut a, mut b) = (one.table("t", CODEC).unwrap(), two.table("t", CODEC).unwrap());
    set(&mut a, "a", "1");
    set(&mut b, "b", "1");
    let mut begun = database.begin_checkpoint(&mut [due(&mut one, &mut a, "1"), due(&mut two, &mut b, "1")]).unwrap();
    assert!(!begun.go_on(&mut [due(&mut two, &mut b, "")], usize::MAX).unwrap());
    assert!(!begun.go_on(&mut [due(&mut one, &mut a, "")], 1).unwrap());
    begun.allow();
    let error = begun.finish().unwrap_err();
    assert!(matches!(&error, StoreError::Misuse(what) if what.contains("without table/t of 1")), "{error}");
    assert!(b.read(b"other").is_err(), "nothing goes on after it");
    drop((a, b, one, two, database));
    assert_eq!(open(dir).unwrap().database.store("2").unwrap().position(), None);
}

#[test]
fn a_checkpoint_takes_every_open_part_of_its_own_store() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut other = reopen(&dir.path().join("other"));
    let (mut a, mut b) = (store.table("a", CODEC).unwrap(), store.table("b", CODEC).unwrap());
    let mut foreign = other.table("b", CODEC).unwrap();
    assert!(matches!(store.table("a", CODEC), Err(StoreError::Misuse(_))));
    assert!(matches!(store.checkpoint(b"1", &mut [&mut a]), Err(StoreError::Misuse(_))));
    assert!(matches!(store.checkpoint(b"1", &mut [&mut a, &mut foreign]), Err(StoreError::Misuse(_))));
    assert!(matches!(other.checkpoint(&[0; 70_000], &mut [&mut foreign]), Err(StoreError::TooLarge { .. })));
    store.checkpoint(b"1", &mut [&mut a, &mut b]).unwrap();
    drop(b);
    store.checkpoint(b"2", &mut [&mut a]).unwrap();
    assert!(matches!(store.close(), Err(StoreError::Misuse(_))), "a is open");
}

const BOUND_BYTES: usize = 4_000;

#[test]
fn what_is_held_is_fetched_and_nothing_else_happens() {
    let dir = tempfile::tempdir().unwrap();
    let store = reopen(dir.path());
    let mut table = store.table("t", CODEC).unwrap();
    for number in 0..100 {
        *table.write(&[number]).unwrap() = vec![number];
    }
    let held = table.cached_bytes();
    let wanted = [&[7][..], &[100], &[7, 7], &[99], &[7]].into_iter().zip(0..);
    let mut fetched = Vec::new();
    table.fetch(wanted, |record, nth| fetched.push((record[0], nth)));
    assert_eq!(fetched, [(7, 0), (99, 3), (7, 4)]);
    assert_eq!(table.cached_bytes(), held);
}

#[test]
fn memory_is_counted_and_kept_to_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut table = store.table("t", CODEC).unwrap();
    for number in 0..200 {
        set(&mut table, &format!("{number:03}"), "some forty bytes of a value, or thereby");
        table.trim(BOUND_BYTES);
    }
    let dirty = table.dirty_bytes();
    assert!(dirty > 200 * (39 + 24) && dirty < 200 * 400, "{dirty}");
    assert_eq!(dirty, table.cached_bytes(), "nothing dirty is let go of");
    // What was handed out last counts with what it weighs now.
    table.write(b"000").unwrap().resize(10_000, 1);
    assert!(table.dirty_bytes() > dirty + 9_900);
    store.checkpoint(b"1", &mut [&mut table]).unwrap();
    assert_eq!(table.dirty_bytes(), 0);
    for number in 0..200 {
        table.read(format!("{number:03}").as_bytes()).unwrap();
        table.trim(BOUND_BYTES);
        let most = BOUND_BYTES + BOUND_BYTES / 32 + 400;
        assert!(number == 0 || table.cached_bytes() <= most, "{}", table.cached_bytes());
    }
    assert_eq!(get(&mut table, "199"), "some forty bytes of a value, or thereby");
}

#[test]
fn what_is_too_large_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut table = store.table("t", CODEC).unwrap();
    assert!(matches!(table.read(&[7; 1_025]), Err(StoreError::TooLarge { bound: 1_024, .. })));
    *table.write(b"a").unwrap() = vec![1; 1 << 20];
    store.checkpoint(b"1", &mut [&mut table]).unwrap();
    assert_eq!(rows(&table)[0].1.len(), 1 << 20);
    table.write(b"a").unwrap().push(1);
    assert!(matches!(store.checkpoint(b"2", &mut [&mut table]), Err(StoreError::TooLarge { .. })));
}

#[test]
fn of_rows_that_are_put_in_together_one_that_is_too_large_refuses_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut kept = store.rows("r").unwrap();
    let row = |key: usize, value: usize| {
        let mut segment = Segment::default();
        segment.put(|bytes| bytes.push(b'a'), |_| ());
        segment.put(|bytes| bytes.resize(bytes.len() + key, 1), |bytes| bytes.resize(bytes.len() + value, 2));
        segment
    };
    assert!(matches!(kept.put_all(row(1_025, 0)), Err(StoreError::TooLarge { what: "a key", bytes: 1_025, .. })));
    assert!(matches!(kept.put_all(row(1, (1 << 20) + 1)), Err(StoreError::TooLarge { what: "a row", .. })));
    assert_eq!(kept.pending_bytes(), 0);
    assert!(!row(1, 1_000_000).is_full());
    let full = row(1_024, 1 << 20);
    assert!(full.is_full());
    kept.put_all(full).unwrap();
    store.checkpoint(b"1", &mut [&mut kept]).unwrap();
    let lengths: Vec<_> = kept_rows(&kept).iter().map(|(key, value)| (key.len(), value.len())).collect();
    assert_eq!(lengths, [(1_024, 1 << 20), (1, 0)]);
}

#[test]
fn a_scratch_database_is_like_any_other_until_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    let options = Options { lifetime: Lifetime::Scratch, ..OPTIONS };
    let mut store = Alone::from(open::open(dir, &identity(), options, BOOT).unwrap().database);
    let mut table = store.table("t", CODEC).unwrap();
    for n in 0..9 {
        set(&mut table, &format!("{n}"), &"value ".repeat(5_000));
        store.checkpoint(b"1", &mut [&mut table]).unwrap();
        table.trim(0);
        table.tidy(100_000).unwrap();
    }
    assert_eq!((rows(&table).len(), get(&mut table, "8").len()), (9, 30_000));
    drop(table);
    store.close().unwrap();
    // sled removes it once the last of its threads has let go of it.
    let deadline = Instant::now() + Duration::from_secs(60);
    while dir.join("sled").exists() {
        assert!(Instant::now() < deadline, "it is still there");
        std::thread::yield_now();
    }
}

#[test]
fn more_stores_than_a_batch_may_have_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(&dir.path().join("store")).unwrap().database;
    let mut stores: Vec<_> =
        (0..=Database::CHECKPOINT_STORES).map(|n| database.store(&n.to_string()).unwrap()).collect();
    let due = |stores: &mut [Store]| {
        let mut due: Vec<_> =
            stores.iter_mut().map(|store| Due { store, position: b"1".to_vec(), parts: Vec::new() }).collect();
        database.begin_checkpoint(&mut due)?.finish()
    };
    assert!(matches!(due(&mut stores), Err(StoreError::Misuse(_))));
    assert_eq!(stores[0].position(), None);
    due(&mut stores[1..]).unwrap();
    assert!(stores[1..].iter().all(|store| store.position() == Some(b"1")));
}
