//! Cases of runs: they stay few, what is left of a crash goes, and merging changes nothing.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::*;

/// Distinct first eight bytes of a tree's keys: its runs.
fn runs_on_disk(store: &Alone, part: &str) -> usize {
    let run = |key: sled::Result<sled::IVec>| key.unwrap()[..8].to_vec();
    store
        .in_sled(&format!("s/{part}"), |tree| tree.iter().keys().map(run).collect::<std::collections::BTreeSet<_>>())
        .len()
}

fn put(table: &mut Table<Bytes>, round: usize, count: usize) {
    for n in 0..count {
        let key = format!("{:05}", (round * 7_919 + n * 613) % 20_000);
        *table.write(key.as_bytes()).unwrap() = format!("{round} {n}").into_bytes();
    }
}

#[test]
fn runs_stay_few_and_say_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let (mut store, mut plain) = (reopen(&path), reopen(&dir.path().join("plain")));
    let (mut table, mut other) = (store.table("t", CODEC).unwrap(), plain.table("t", CODEC).unwrap());
    for round in 0..60 {
        for (store, table) in [(&mut store, &mut table), (&mut plain, &mut other)] {
            put(table, round, 20 + round % 5 * 100);
            store.checkpoint(&[], &mut [table]).unwrap();
            table.trim(0);
        }
        // A bounded part of the work each time; more than comes in.
        for _ in 0..4 {
            table.tidy(8_000).unwrap();
        }
    }
    while table.tidy(8_000).unwrap() == 0 {}
    store.checkpoint(&[], &mut [&mut table]).unwrap();
    while table.tidy(8_000).unwrap() == 0 {}
    assert_eq!(runs_on_disk(&plain, "table/t"), 60);
    assert!(runs_on_disk(&store, "table/t") < 10, "{}", runs_on_disk(&store, "table/t"));
    assert_eq!(rows(&table), rows(&other));
    for key in (0..20_000).step_by(97).map(|n| format!("{n:05}")) {
        assert_eq!(table.read(key.as_bytes()).unwrap(), other.read(key.as_bytes()).unwrap());
    }
}

#[test]
fn what_is_not_written_yet_is_read_from_memory_and_changed_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut store = reopen(&path);
    let (mut table, mut kept) = (store.table("t", CODEC).unwrap(), store.rows("r").unwrap());
    let key = b"key";
    table.write(key).unwrap().extend(b"1");
    kept.put(key, b"1").unwrap();
    let base = Arc::clone(&store.database.base);
    let held_up = base.gate.lock().unwrap();
    let begun = store.store.begin_checkpoint(b"1", &mut [&mut table, &mut kept]).unwrap();
    assert_eq!((table.dirty_bytes(), kept.pending_bytes()), (0, 0));
    table.trim(0);
    assert_eq!(table.cached_bytes(), 0);
    assert_eq!(table.read(key).unwrap(), b"1");
    assert_eq!(kept_rows(&kept), [(key.to_vec(), b"1".to_vec())]);
    assert!(!begun.is_done());
    table.write(key).unwrap().extend(b"2");
    drop(held_up);
    begun.finish().unwrap();
    table.trim(0);
    assert_eq!(table.read(key).unwrap(), b"12", "it is not let go of, for it has changed since");
    drop((table, kept, store, base));
    let store = reopen(&path);
    assert_eq!(store.position(), Some(&b"1"[..]));
    assert_eq!(rows(&store.table("t", CODEC).unwrap()), [(key.to_vec(), b"1".to_vec())]);
    assert_eq!(kept_rows(&store.rows("r").unwrap()), [(key.to_vec(), b"1".to_vec())]);
}

/// Bytes that hardly get fewer by compression.
fn noise(length: usize) -> Bytes {
    let mut seed = 7_u64;
    let next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn what_a_record_grew_by_is_written_alone_and_joined_when_runs_are_merged() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut table = store.table("t", GROWN).unwrap();
    let stored_bytes = |store: &Alone| -> usize {
        store.in_sled("s/table/t", |tree| tree.iter().values().map(|value| value.unwrap().len()).sum())
    };
    *table.write(b"key").unwrap() = Grown { latest: noise(1_000), all: noise(8_000), kept: 0 };
    for checkpoint in 0..40 {
        let before = stored_bytes(&store);
        store.checkpoint(&[], &mut [&mut table]).unwrap();
        assert_eq!(stored_bytes(&store) - before >= 8_000, checkpoint == 0, "checkpoint {checkpoint}");
        if checkpoint % 2 == 0 {
            table.trim(0);
        }
        assert_eq!(table.read(b"key").unwrap().all.len(), 8_000 + 20 * checkpoint);
        table.write(b"key").unwrap().all.extend(noise(20));
    }
    store.checkpoint(&[], &mut [&mut table]).unwrap();
    let pieces = table.stored(b"key").unwrap().unwrap();
    assert_eq!(pieces.len(), 41 * (8 + 1_000) + 8_800);
    while table.tidy(100_000).unwrap() == 0 {}
    store.checkpoint(&[], &mut [&mut table]).unwrap();
    let joined = table.stored(b"key").unwrap().unwrap();
    assert!(joined.len() < pieces.len() / 2, "{}", joined.len());
    assert_eq!(Grown::read(&joined), Grown::read(&pieces));
    table.trim(0);
    assert_eq!(Some(table.read(b"key").unwrap()), Grown::read(&pieces).as_ref());
}

#[test]
fn a_part_without_what_it_adds_to_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut table = store.table("t", GROWN).unwrap();
    table.write(b"key").unwrap().all.resize(1_000, 1);
    store.checkpoint(&[], &mut [&mut table]).unwrap();
    table.write(b"key").unwrap().all.push(2);
    store.checkpoint(&[], &mut [&mut table]).unwrap();
    drop(table);
    // As if the first run had been lost: one run is named, the second.
    let manifest = crate::fields::Writer::default().number(1).number(2).number(6).seal();
    let tree = crate::tree::Tree::take(&store.shared, "table/t".into()).unwrap();
    let runs = crate::runs::Runs::open(tree, true, None, Some(&manifest)).unwrap();
    assert!(matches!(runs.get(b"key"), Err(StoreError::Damaged { .. })));
}

#[test]
fn of_the_same_key_the_last_row_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut kept = store.rows("r").unwrap();
    for (key, value) in [("", ""), ("", "1"), ("a", ""), ("a", "2"), ("a", "3"), ("b", "4"), ("b", "")] {
        kept.put(key.as_bytes(), value.as_bytes()).unwrap();
    }
    store.checkpoint(b"1", &mut [&mut kept]).unwrap();
    let text = |(key, value): &(Bytes, Bytes)| format!("{}={}", key.escape_ascii(), value.escape_ascii());
    assert_eq!(kept_rows(&kept).iter().map(text).collect::<Vec<_>>(), ["=1", "a=3", "b="]);
}

/// Keys of every length that begin alike, end in zeros, or are each other's beginnings.
fn keys() -> impl Strategy<Value = Vec<u8>> {
    let parts = (prop::collection::vec(0..3_u8, 0..3), 0..28_usize, prop::collection::vec(0..2_u8, 0..9));
    parts.prop_map(|(begin, zeros, end)| [begin, vec![0; zeros], end].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn rows_come_in_the_order_of_their_keys(given in prop::collection::vec((keys(), 0..4_u8), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = reopen(&dir.path().join("store"));
        let mut kept = store.rows("r").unwrap();
        let mut expected = BTreeMap::new();
        for (key, value) in given {
            let value = vec![value; value.into()];
            kept.put(&key, &value).unwrap();
            expected.insert(key, value);
        }
        store.checkpoint(b"1", &mut [&mut kept]).unwrap();
        prop_assert_eq!(kept_rows(&kept), expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn what_no_checkpoint_names_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut store = reopen(&path);
    let mut table = store.table("t", CODEC).unwrap();
    put(&mut table, 1, 300);
    store.checkpoint(b"1", &mut [&mut table]).unwrap();
    let before = rows(&table);
    for _ in 0..2 {
        // Its run is there, but the checkpoint is not.
        put(&mut table, 2, 300);
        store.fault_after(2);
        assert!(store.checkpoint(b"2", &mut [&mut table]).is_err());
        drop((table, store));
        store = reopen(&path);
        table = store.table("t", CODEC).unwrap();
        assert!(runs_on_disk(&store, "table/t") > 1);
        assert_eq!(rows(&table), before);
        while table.tidy(1).unwrap() == 0 {}
        assert_eq!(runs_on_disk(&store, "table/t"), 1);
    }
    put(&mut table, 3, 300);
    store.checkpoint(b"3", &mut [&mut table]).unwrap();
    assert_ne!(rows(&table), before);
}

#[test]
fn what_was_merged_stays_until_a_checkpoint_without_it_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut store = reopen(&path);
    let mut table = store.table("t", CODEC).unwrap();
    for round in 0..6 {
        put(&mut table, round, 100);
        store.checkpoint(&[], &mut [&mut table]).unwrap();
    }
    let before = rows(&table);
    while table.tidy(8_000).unwrap() == 0 {}
    for counts in [false, true] {
        let mut begun = store.begin_checkpoint(&[], &mut [&mut table]).unwrap();
        while table.tidy(8_000).unwrap() == 0 {}
        assert!(runs_on_disk(&store, "table/t") > 6, "those and what they were merged into");
        if counts {
            begun.allow();
        }
        drop((begun, table, store));
        store = reopen(&path);
        table = store.table("t", CODEC).unwrap();
        assert_eq!(rows(&table), before);
        while table.tidy(8_000).unwrap() == 0 {}
        assert_eq!(runs_on_disk(&store, "table/t") < 6, counts);
    }
}

#[test]
fn a_missing_block_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut store = reopen(&path);
    let mut table = store.table("t", CODEC).unwrap();
    put(&mut table, 1, 300);
    store.checkpoint(b"1", &mut [&mut table]).unwrap();
    store.in_sled("s/table/t", |tree| {
        let first = tree.iter().keys().next().unwrap().unwrap();
        tree.remove(first).unwrap();
    });
    table.trim(0);
    assert!(matches!(table.read(b"00000"), Err(StoreError::Damaged { .. }) | Ok(_)));
    let scanned = table.scan(b"", &mut |_, _| Ok(ControlFlow::Continue(())));
    assert!(matches!(scanned, Err(StoreError::Damaged { .. } | StoreError::Broken)));
    drop((table, store));
    let aside = open(&path).unwrap().moved_aside.unwrap();
    assert!(aside.reason.contains("without block 0"), "{}", aside.reason);
}
