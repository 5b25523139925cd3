//! Cases of runs: they stay few, what is left of a crash goes, and merging changes nothing.

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
fn of_the_same_key_the_last_row_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = reopen(&dir.path().join("store"));
    let mut kept = store.rows("r").unwrap();
    for (key, value) in [("", ""), ("", "1"), ("a", ""), ("a", "2"), ("a", "3"), ("b", "4"), ("b", "")] {
        kept.put(key.as_bytes(), value.as_bytes()).unwrap();
    }
    store.checkpoint(b"1", &mut [&mut kept]).unwrap();
    let mut found = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        found.push(format!("{}={}", key.escape_ascii(), value.escape_ascii()));
        Ok(ControlFlow::Continue(()))
    };
    kept.scan(b"", &mut visit).unwrap();
    assert_eq!(found, ["=1", "a=3", "b="]);
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
