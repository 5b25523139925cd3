//! Cases of journals.

use std::{fs, os::unix::fs::symlink, thread};

use super::*;
use crate::Journal;

fn read(journal: &Journal, list: &str, from: u64, until: u64, records: usize, bytes: usize) -> Vec<String> {
    let mut read = Vec::new();
    let mut visit = |index: u64, record: &[u8]| {
        assert_eq!(index, from + read.len() as u64);
        read.push(String::from_utf8_lossy(record).into_owned());
    };
    journal.read(list, from, until, records, bytes, &mut visit).unwrap();
    read
}

/// Bytes of the journal's file.
fn in_file(dir: &Path) -> u64 {
    fs::metadata(dir.join("journals/s.j")).unwrap().len()
}

fn fill(journal: &mut Journal, list: &str, from: u64, until: u64, text: &str) {
    (from..until).for_each(|index| journal.append(list, index, format!("{text}{index}").as_bytes()).unwrap());
}

#[test]
fn a_read_stops_where_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut journal = store.journal("j").unwrap();
    fill(&mut journal, "l", 0, 2_000, "record ");
    fill(&mut journal, "l2", 0, 3, "other ");
    for on_disk in [false, true] {
        if on_disk {
            store.checkpoint(b"1", &mut [&mut journal]).unwrap();
            drop(journal);
            journal = store.journal("j").unwrap();
        }
        for (from, until, records, bytes, expect) in [
            (0, 0, 9, 999, 0..0),
            (5, 4, 9, 999, 0..0),
            (0, 3, 9, 999, 0..3),
            (1_990, 2_000, 99, 999, 1_990..2_000),
            (700, 2_000, 2, 999, 700..702),
            (700, 2_000, 99, 10 * 3 + 9, 700..703),
            (700, 2_000, 99, 0, 700..701),
            (0, 2_000, 9_999, 99_999, 0..2_000),
        ] {
            let expect: Vec<String> = expect.map(|index| format!("record {index}")).collect();
            assert_eq!(read(&journal, "l", from, until, records, bytes), expect, "{from}..{until} {on_disk}");
        }
        assert_eq!(read(&journal, "l2", 1, 3, 9, 999), ["other 1", "other 2"]);
    }
}

/// What was written before its checkpoint, which then never came, is gone, and takes no room.
#[test]
fn an_opening_forgets_what_no_checkpoint_has() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    let ahead = |from: u64, until: u64, text: &str| {
        let store = reopen(dir);
        let mut journal = store.journal("j").unwrap();
        let bytes = in_file(dir);
        fill(&mut journal, "l", from, until, text);
        journal.seal(1);
        journal.write_back(1).unwrap();
        journal.settle().unwrap();
        assert!(in_file(dir) > bytes);
        assert_eq!(read(&journal, "l", from, until, 9_999, 999_999).len() as u64, until - from);
    };
    let mut store = reopen(dir);
    let mut journal = store.journal("j").unwrap();
    fill(&mut journal, "l", 0, 1_700, "kept ");
    store.checkpoint(b"1700", &mut [&mut journal]).unwrap();
    drop((journal, store));

    let kept_bytes = in_file(dir);
    ahead(1_700, 5_000, "stale ");
    ahead(1_700, 6_000, "of another length, and stale as well ");
    let mut store = reopen(dir);
    let mut journal = store.journal("j").unwrap();
    assert_eq!(in_file(dir), kept_bytes);
    assert_eq!(read(&journal, "l", 1_699, 1_700, 9, 999), ["kept 1699"]);
    fill(&mut journal, "l", 1_700, 2_500, "new ");
    store.checkpoint(b"2500", &mut [&mut journal]).unwrap();
    drop((journal, store));

    let store = reopen(dir);
    let journal = store.journal("j").unwrap();
    let all = read(&journal, "l", 0, 2_500, 9_999, 99_999);
    assert_eq!((all[1_699].as_str(), all[1_700].as_str(), all[2_499].as_str()), ("kept 1699", "new 1700", "new 2499"));
}

#[test]
fn only_committed_transactions_are_written_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    let store = reopen(dir);
    let mut journal = store.journal("j").unwrap();
    let text = "x".repeat(2_600); // three to a chunk
    let chunk = 3 * 2_605;
    fill(&mut journal, "l", 0, 7, &text);
    journal.seal(7);
    fill(&mut journal, "l", 7, 10, &text);
    let pending = journal.pending_bytes();
    let write_back = |journal: &mut Journal, committed| {
        let before = (journal.pending_bytes(), in_file(dir));
        journal.write_back(committed).unwrap();
        journal.settle().unwrap();
        let (pending, bytes) = (journal.pending_bytes(), in_file(dir));
        assert_eq!(before.0 != pending, before.1 != bytes);
        (before.0 - pending).div_ceil(chunk)
    };
    assert_eq!([6, 7, 7].map(|committed| write_back(&mut journal, committed)), [0, 2, 0]);
    // The third chunk began before the seal and was filled after it: it belongs to the later transaction.
    journal.seal(8);
    assert_eq!([7, 8].map(|committed| write_back(&mut journal, committed)), [0, 1]);
    assert!(pending - journal.pending_bytes() > 3 * (chunk - 100), "only the open chunk is left");
    // A call's work is bounded.
    fill(&mut journal, "l", 10, 3_010, &text);
    journal.seal(9);
    let pending = journal.pending_bytes();
    journal.write_back(9).unwrap();
    assert_eq!(read(&journal, "l", 0, 3_010, 9_999, usize::MAX).len(), 3_010, "while some of it is written");
    journal.settle().unwrap();
    let written = pending - journal.pending_bytes();
    assert!((4_000_000..4 << 20).contains(&written), "{written}");
    assert_eq!(read(&journal, "l", 0, 3_010, 9_999, usize::MAX).len(), 3_010);
}

/// What an earlier checkpoint says of extents is not said again.
#[test]
fn a_checkpoint_writes_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut journal = store.journal("j").unwrap();
    let in_sled = |store: &Alone| {
        store.in_sled("s/journal/j", |tree| tree.iter().values().map(|value| value.unwrap().len()).sum::<usize>())
    };
    fill(&mut journal, "l", 0, 3_000, &"x".repeat(2_600));
    store.checkpoint(b"1", &mut [&mut journal]).unwrap();
    let before = in_sled(&store);
    assert!(before > 6_000, "{before}");
    journal.append("l", 3_000, b"one more").unwrap();
    store.checkpoint(b"2", &mut [&mut journal]).unwrap();
    let more = in_sled(&store) - before;
    assert!(more < 2_000, "{more}");
}

/// Chunks of several lists come one after the other, and go into the file list by list.
#[test]
fn lists_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut journal = store.journal("j").unwrap();
    let lists = ["a", "ab", "a!", "b"];
    for index in 0..300 {
        lists.iter().for_each(|list| journal.append(list, index, format!("{list} {index:0500}").as_bytes()).unwrap());
        if index % 100 == 99 {
            journal.seal(index);
            journal.write_back(index).unwrap();
        }
    }
    for on_disk in [false, true] {
        if on_disk {
            store.checkpoint(b"1", &mut [&mut journal]).unwrap();
            drop(journal);
            journal = store.journal("j").unwrap();
        }
        for list in lists {
            for from in [0, 17, 299] {
                let expect: Vec<_> = (from..300).map(|index| format!("{list} {index:0500}")).collect();
                assert_eq!(read(&journal, list, from, 300, 999, usize::MAX), expect);
            }
        }
    }
}

/// What compression makes no shorter lies in the file as it is.
#[test]
fn noise_is_kept_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    let mut store = reopen(dir);
    let mut journal = store.journal("j").unwrap();
    let mut seed = 1_u64;
    let mut noise = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    let records: Vec<Bytes> = (0..20).map(|_| (0..3_000).map(|_| noise()).collect()).collect();
    for (index, record) in (0..).zip(&records) {
        journal.append("l", index, record).unwrap();
    }
    store.checkpoint(b"1", &mut [&mut journal]).unwrap();
    drop(journal);
    assert!(in_file(dir) > 9 * 2 * 3_000);
    let mut read = Vec::new();
    let mut visit = |_, record: &[u8]| read.push(record.to_vec());
    store.journal("j").unwrap().read("l", 0, 20, 99, usize::MAX, &mut visit).unwrap();
    assert_eq!(read, records);
}

/// A byte that changed, and a file that was cut, by whoever.
#[test]
fn damage_to_the_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    let path = dir.join("journals/s.j");
    let make = || {
        let mut store = reopen(dir);
        let mut journal = store.journal("j").unwrap();
        fill(&mut journal, "l", 0, 2_000, "record ");
        store.checkpoint(b"1", &mut [&mut journal]).unwrap();
        drop(journal);
        store.close().unwrap();
    };
    let moved_aside = || open(dir).unwrap().moved_aside.unwrap().reason;

    make();
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let store = reopen(dir);
    let journal = store.journal("j").unwrap();
    let read = journal.read("l", 0, 2_000, 9_999, usize::MAX, &mut |_, _| ());
    assert!(matches!(read, Err(StoreError::Damaged { .. })));
    drop((journal, store));
    assert!(moved_aside().contains("is not as it was"));

    make();
    fs::write(&path, b"short").unwrap();
    let store = reopen(dir);
    assert!(matches!(store.journal("j"), Err(StoreError::Damaged { .. })));
    drop(store);
    assert!(moved_aside().contains("has 5 bytes of"));
}

#[test]
fn what_writing_back_fails_with_is_said_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    let store = reopen(dir);
    let mut journal = store.journal("j").unwrap();
    fill(&mut journal, "l", 0, 9, &"x".repeat(2_200));
    journal.seal(1);
    store.fault_after(0);
    journal.write_back(1).unwrap();
    assert!(matches!(journal.settle(), Err(StoreError::Io { .. })));
    assert_eq!(read(&journal, "l", 0, 9, 99, usize::MAX).len(), 9);
    store.fault_after(u64::MAX);
    journal.write_back(1).unwrap();
    journal.settle().unwrap();
    assert!(in_file(dir) > 0);
    assert_eq!(read(&journal, "l", 0, 9, 99, usize::MAX).len(), 9);
}

#[test]
fn ends_of_many_lists_are_let_go_of_and_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut journal = store.journal("j").unwrap();
    for round in 0..3 {
        for list in 0..3_000 {
            journal.append(&format!("list {list}"), round, format!("{list} {round}").as_bytes()).unwrap();
        }
        store.checkpoint(&[], &mut [&mut journal]).unwrap();
    }
    for list in (0..3_000).step_by(7) {
        let expect: Vec<String> = (0..3).map(|round| format!("{list} {round}")).collect();
        assert_eq!(read(&journal, &format!("list {list}"), 0, 3, 9, 999), expect);
    }
}

#[test]
fn wrong_use_and_gaps_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    let mut store = reopen(dir);
    let mut journal = store.journal("j").unwrap();
    assert!(matches!(journal.append("a\0b", 0, b""), Err(StoreError::Misuse(_))));
    assert!(matches!(journal.append(&"a".repeat(1_025), 0, b""), Err(StoreError::TooLarge { .. })));
    assert!(matches!(journal.append("a", 0, &vec![0; 1 << 20]), Err(StoreError::TooLarge { .. })));
    journal.append("a", 0, &vec![1; 750_000]).unwrap();
    journal.append("a", 1, b"").unwrap();
    assert!(matches!(journal.append("a", 1, b""), Err(StoreError::Misuse(_))), "two appends at one index");
    assert!(matches!(journal.read("a", 0, 3, 9, 9_999_999, &mut |_, _| ()), Err(StoreError::Misuse(_))));
    store.checkpoint(b"1", &mut [&mut journal]).unwrap();
    drop(journal);
    let mut journal = store.journal("j").unwrap();
    assert_eq!(read(&journal, "a", 0, 2, 9, 9_999_999)[0].len(), 750_000);
    assert!(matches!(journal.append("a", 3, b""), Err(StoreError::Damaged { .. })), "record 2 is missing");
    assert!(matches!(journal.append("a", 2, b""), Err(StoreError::Broken)));
    drop((journal, store));
    assert!(open(dir).unwrap().moved_aside.unwrap().reason.contains("a ends at 2, where its length is 3"));
}

/// What could not be put on the disk while others went on is told by the next call, and by a close.
#[test]
fn what_is_synced_ahead_and_fails_is_told_later() {
    let dir = tempfile::tempdir().unwrap();
    let told = |failed: Result<(), StoreError>| assert!(failed.unwrap_err().to_string().contains("journals/gone"));
    for closes in [true, false] {
        let dir = dir.path().join(closes.to_string());
        let Opened { database, .. } = open(&dir).unwrap();
        database.sync_ahead().unwrap();
        let store = database.store("s").unwrap();
        drop(store.journal("j").unwrap());
        drop(store);
        let gone = dir.join("journals/gone");
        symlink("nowhere", &gone).unwrap();
        database.sync_ahead().unwrap();
        while !database.base.syncing.lock().unwrap().as_ref().unwrap().is_finished() {
            thread::yield_now();
        }
        fs::remove_file(&gone).unwrap();
        if closes {
            told(database.close());
        } else {
            told(database.sync_ahead());
            assert!(matches!(database.store("s"), Err(StoreError::Broken)));
        }
    }
}
