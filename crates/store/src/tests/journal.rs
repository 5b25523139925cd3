//! Cases of journals.

use super::*;
use crate::Journal;

fn read(journal: &mut Journal, list: &str, from: u64, until: u64, records: usize, bytes: usize) -> Vec<String> {
    let mut read = Vec::new();
    let mut visit = |index: u64, record: &[u8]| {
        assert_eq!(index, from + read.len() as u64);
        read.push(String::from_utf8_lossy(record).into_owned());
    };
    journal.read(list, from, until, records, bytes, &mut visit).unwrap();
    read
}

/// How many keys there are in sled for chunks, and how many of them have one.
fn keys(store: &Alone) -> (usize, usize) {
    store.in_sled("s/journal/j", |tree| {
        let pieces: Vec<_> = tree.scan_prefix(b"c").values().map(Result::unwrap).collect();
        (pieces.len(), pieces.iter().filter(|piece| !piece.is_empty()).count())
    })
}

fn chunks(store: &Alone) -> usize {
    keys(store).1
}

fn places(store: &Alone) -> usize {
    store.in_sled("s/journal/j", |tree| tree.scan_prefix(b"l").count())
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
            assert_eq!(read(&mut journal, "l", from, until, records, bytes), expect, "{from}..{until} {on_disk}");
        }
        assert_eq!(read(&mut journal, "l2", 1, 3, 9, 999), ["other 1", "other 2"]);
    }
}

/// Chunks that were written before their checkpoint, which then never came, are cut by the next append.
#[test]
fn an_append_forgets_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    let ahead = |from: u64, until: u64, text: &str| {
        let store = reopen(dir);
        let mut journal = store.journal("j").unwrap();
        fill(&mut journal, "l", from, until, text);
        journal.seal(1);
        for _ in 0..10 {
            journal.write_back(1).unwrap();
        }
    };
    let mut store = reopen(dir);
    let mut journal = store.journal("j").unwrap();
    fill(&mut journal, "l", 0, 700, "kept ");
    store.checkpoint(b"700", &mut [&mut journal]).unwrap();
    drop((journal, store));

    ahead(700, 4_000, "stale ");
    ahead(700, 5_000, "of another length, and stale as well ");
    let mut store = reopen(dir);
    let mut journal = store.journal("j").unwrap();
    assert_eq!(read(&mut journal, "l", 699, 700, 9, 999), ["kept 699"]);
    fill(&mut journal, "l", 700, 1_500, "new ");
    store.checkpoint(b"1500", &mut [&mut journal]).unwrap();
    drop((journal, store));

    let store = reopen(dir);
    let mut journal = store.journal("j").unwrap();
    let all = read(&mut journal, "l", 0, 1_500, 9_999, 99_999);
    assert_eq!((all[699].as_str(), all[700].as_str(), all[1_499].as_str()), ("kept 699", "new 700", "new 1499"));
    let is_stale = |chunk: sled::Result<sled::IVec>| String::from_utf8_lossy(&chunk.unwrap()).contains("stale");
    assert!(!store.in_sled("s/journal/j", |tree| tree.iter().values().any(is_stale)));
}

/// The next record does not fit after the cut, so the chunk that was cut is not touched by it.
#[test]
fn a_cut_chunk_is_written_even_if_nothing_is_added_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut journal = store.journal("j").unwrap();
    fill(&mut journal, "l", 0, 10, "short ");
    store.checkpoint(b"10", &mut [&mut journal]).unwrap();
    drop(journal);
    let mut journal = store.journal("j").unwrap();
    journal.append("l", 5, &[b'x'; 9_000]).unwrap();
    journal.append("l", 6, b"six").unwrap();
    assert!(journal.pending_bytes() > 9_000);
    store.checkpoint(b"7", &mut [&mut journal]).unwrap();
    assert_eq!(journal.pending_bytes(), 0);
    drop(journal);
    let mut journal = store.journal("j").unwrap();
    let all = read(&mut journal, "l", 0, 7, 99, 99_999);
    assert_eq!((all[4].as_str(), all[5].len(), all[6].as_str()), ("short 4", 9_000, "six"));
}

#[test]
fn only_committed_transactions_are_written_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = reopen(&dir.path().join("store"));
    let mut journal = store.journal("j").unwrap();
    let text = "x".repeat(2_200); // four to a chunk
    fill(&mut journal, "l", 0, 9, &text);
    journal.seal(7);
    fill(&mut journal, "l", 9, 17, &text);
    for (committed, expect) in [(6, 0), (7, 2), (7, 2)] {
        journal.write_back(committed).unwrap();
        journal.settle().unwrap();
        assert_eq!(chunks(&store), expect, "{committed}");
    }
    // The third chunk began before the seal and was filled after it: it belongs to the later transaction.
    journal.seal(8);
    for (committed, expect) in [(7, 2), (8, 4)] {
        journal.write_back(committed).unwrap();
        journal.settle().unwrap();
        assert_eq!(chunks(&store), expect, "{committed}");
    }
    let pending = journal.pending_bytes();
    assert!(pending > 2_200 && pending < 3_000, "only the open chunk is left: {pending}");
    // A call's work is bounded.
    fill(&mut journal, "l", 17, 3_017, &text);
    journal.seal(9);
    journal.write_back(9).unwrap();
    assert_eq!(read(&mut journal, "l", 0, 3_017, 9_999, usize::MAX).len(), 3_017, "while some of it is written");
    journal.settle().unwrap();
    assert_eq!(chunks(&store), 4 + 476);
    assert_eq!(read(&mut journal, "l", 0, 3_017, 9_999, usize::MAX).len(), 3_017);
}

/// Eight keys ahead, as soon as something is written; of those that an earlier journal had not used, one stays.
#[test]
fn keys_are_made_ahead() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    let text = "x".repeat(4_400); // two to a chunk
    let mut length = 0;
    for (until, expect) in [(2, (9, 1)), (4, (2 + 9, 2)), (14, (4 + 13, 7)), (14, (10, 7)), (15, (10 + 9, 8))] {
        let mut store = reopen(dir);
        let mut journal = store.journal("j").unwrap();
        fill(&mut journal, "l", length, until, &text);
        store.checkpoint(b"", &mut [&mut journal]).unwrap();
        assert_eq!(keys(&store), expect, "{until}");
        length = until;
        let all: Vec<String> = (0..length).map(|index| format!("{text}{index}")).collect();
        assert_eq!(read(&mut journal, "l", 0, length, 99, usize::MAX), all);
        drop(journal);
        assert_eq!(read(&mut store.journal("j").unwrap(), "l", 0, length, 99, usize::MAX), all);
    }
}

/// What is stale goes, also the very next chunk, which may begin before the end of what is written instead of it.
#[test]
fn the_chunk_after_one_that_was_cut_goes() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut journal = store.journal("j").unwrap();
    fill(&mut journal, "l", 0, 9, &"x".repeat(4_400)); // two to a chunk
    fill(&mut journal, "m", 0, 9, &"y".repeat(4_400));
    store.checkpoint(b"", &mut [&mut journal]).unwrap();
    drop(journal);
    let mut journal = store.journal("j").unwrap();
    fill(&mut journal, "l", 3, 7, "new ");
    store.checkpoint(b"", &mut [&mut journal]).unwrap();
    drop(journal);
    let mut journal = store.journal("j").unwrap();
    assert_eq!(read(&mut journal, "l", 6, 7, 9, 999), ["new 6"]);
    assert_eq!(chunks(&store), 2 + 5);
    assert_eq!(read(&mut journal, "m", 0, 9, 9, usize::MAX).len(), 9);
}

/// After a crash a place may be known of a chunk that was never written; nobody else's is there later.
#[test]
fn a_number_is_not_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("store");
    let store = reopen(dir);
    let mut journal = store.journal("j").unwrap();
    fill(&mut journal, "lost", 0, 9, &"x".repeat(4_400));
    journal.seal(1);
    // Keys in batches of three, then the four places; the chunks are refused.
    store.fault_after((8 + 4_u64).div_ceil(3) + 2);
    journal.write_back(1).unwrap();
    assert!(journal.settle().is_err());
    assert_eq!((keys(&store), places(&store)), ((12, 0), 4));
    drop((journal, store));

    let mut store = reopen(dir);
    let mut journal = store.journal("j").unwrap();
    fill(&mut journal, "m", 0, 9, &"y".repeat(4_400));
    store.checkpoint(b"", &mut [&mut journal]).unwrap();
    journal.append("lost", 0, b"again").unwrap();
    assert_eq!(places(&store), 5);
    assert_eq!(read(&mut journal, "m", 0, 9, 9, usize::MAX).len(), 9);
    store.checkpoint(b"", &mut [&mut journal]).unwrap();
    drop(journal);
    let mut journal = store.journal("j").unwrap();
    assert_eq!(read(&mut journal, "m", 0, 9, 9, usize::MAX).len(), 9);
    assert_eq!(read(&mut journal, "lost", 0, 1, 9, 999), ["again"]);
}

#[test]
fn what_writing_back_fails_with_is_said_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = reopen(&dir.path().join("store"));
    let mut journal = store.journal("j").unwrap();
    fill(&mut journal, "l", 0, 9, &"x".repeat(2_200));
    journal.seal(1);
    store.fault_after(0);
    journal.write_back(1).unwrap();
    assert!(matches!(journal.settle(), Err(StoreError::Io { .. })));
    assert_eq!(read(&mut journal, "l", 0, 9, 99, usize::MAX).len(), 9);
    store.fault_after(u64::MAX);
    journal.write_back(1).unwrap();
    journal.settle().unwrap();
    assert_eq!(chunks(&store), 2);
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
        assert_eq!(read(&mut journal, &format!("list {list}"), 0, 3, 9, 999), expect);
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
    assert_eq!(read(&mut journal, "a", 0, 2, 9, 9_999_999)[0].len(), 750_000);
    assert!(matches!(journal.append("a", 3, b""), Err(StoreError::Damaged { .. })), "record 2 is missing");
    assert!(matches!(journal.append("a", 2, b""), Err(StoreError::Broken)));
    drop((journal, store));
    assert!(open(dir).unwrap().moved_aside.unwrap().reason.contains("a ends at 2, before its length of 3"));
}
