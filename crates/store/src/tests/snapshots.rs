//! sled is opened anew under open parts, so that it takes a snapshot.

use std::{collections::BTreeSet, fs};

use super::*;

/// Writes and keeps record number `number`, and more than the options allow without a snapshot.
fn keep(store: &mut Store, table: &mut Table<Bytes>, number: u8) -> Result<(), StoreError> {
    let mut seed = u64::from(number);
    // Bytes that do not get shorter when they are compressed.
    let noise = (0..SNAPSHOT_BYTES).map(|_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    });
    *table.write(&[number])? = noise.collect();
    store.checkpoint(&[number], &mut [table])
}

fn snapshots(dir: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(dir.join("sled")).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.starts_with("snap.")).collect()
}

#[test]
fn a_snapshot_is_taken_every_so_many_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut store = reopen(&path);
    let mut table = store.table("t", CODEC).unwrap();
    let mut seen = snapshots(&path);
    for number in 1..=5 {
        keep(&mut store, &mut table, number).unwrap();
        let now = snapshots(&path);
        assert_eq!(now.len(), 1, "{now:?}");
        assert!(seen.is_disjoint(&now), "no new one after {number}: {now:?}");
        seen.extend(now);
        // A small checkpoint needs none.
        *table.write(b"small").unwrap() = vec![number];
        store.checkpoint(&[number], &mut [&mut table]).unwrap();
        assert!(snapshots(&path).is_subset(&seen));
        // What is no longer in the cache comes from the sled that was opened anew.
        table.trim(0);
        assert_eq!(table.read(&[1]).unwrap().len(), SNAPSHOT_BYTES as usize);
    }
    drop((table, store));
    let store = reopen(&path);
    assert_eq!(store.position(), Some([5].as_slice()));
    assert_eq!(rows(&store.table("t", CODEC).unwrap()).len(), 6);
}

#[test]
fn a_database_that_cannot_be_opened_anew_is_broken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut store = reopen(&path);
    let mut table = store.table("t", CODEC).unwrap();
    keep(&mut store, &mut table, 1).unwrap();
    fs::write(path.join("sled/conf"), "nonsense that is long enough").unwrap();
    assert!(matches!(keep(&mut store, &mut table, 2), Err(StoreError::Damaged { .. })));
    assert!(matches!(table.read(b"other"), Err(StoreError::Broken)));
    assert!(matches!(store.checkpoint(b"again", &mut [&mut table]), Err(StoreError::Broken)));
    drop((table, store));
    assert!(open(&path).unwrap().moved_aside.is_some());
}
