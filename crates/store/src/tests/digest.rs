//! The digest: what it is of, whoever computes it and however the rows came.

use std::collections::BTreeMap;

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::{DigestResult, digest::Digest};

type Row = (Bytes, Bytes);

fn ends_section(key: &[u8]) -> bool {
    xxh3_64(key).is_multiple_of(1_024)
}

/// As the module says it.
fn by_the_book(rows: &[Row]) -> DigestResult {
    let sections = rows.split_inclusive(|(key, _)| ends_section(key)).map(|section| {
        let mut hasher = blake3::Hasher::new();
        for (key, value) in section {
            hasher.update(&(key.len() as u64).to_be_bytes()).update(&(value.len() as u64).to_be_bytes());
            hasher.update(key).update(value);
        }
        *hasher.finalize().as_bytes()
    });
    let sections: Vec<_> = sections.collect();
    DigestResult { hex: blake3::hash(sections.as_flattened()).to_hex().to_string(), rows: rows.len() as u64 }
}

fn of(rows: &[(&str, &str)]) -> String {
    let mut digest = Digest::default();
    for (key, value) in rows {
        digest.row(key.as_bytes(), value.as_bytes());
    }
    digest.finish().hex
}

#[test]
fn it_depends_on_the_order_of_rows_and_on_where_each_part_ends() {
    assert_ne!(of(&[("a", "b"), ("c", "d")]), of(&[("c", "d"), ("a", "b")]));
    assert_ne!(of(&[("ab", "c")]), of(&[("a", "bc")]));
    assert_ne!(of(&[("a", "")]), of(&[]));
    assert_eq!(of(&[]), blake3::hash(b"").to_hex().to_string());
}

#[test]
fn a_long_section_is_hashed_in_parts() {
    let rows: Vec<Row> = (0..300_u32).map(|n| (n.to_be_bytes().to_vec(), vec![n as u8; 3_000])).collect();
    let mut digest = Digest::default();
    for (key, value) in &rows {
        digest.row(key, value);
    }
    assert_eq!(digest.finish(), by_the_book(&rows));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn it_is_the_same_wherever_threads_begin(
        given in prop::collection::vec((0..40_000_u32, 0..200_usize), 0..20_000),
        checkpoint_each in 500..20_000_usize,
        begin_at in prop::collection::vec(0..100_000_u32, 0..5),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = reopen(&dir.path().join("store"));
        let mut kept = store.rows("r").unwrap();
        let mut expected = BTreeMap::new();
        for some in given.chunks(checkpoint_each) {
            for (number, bytes) in some {
                let (key, value) = (format!("key {number}").into_bytes(), vec![b'x'; *bytes]);
                kept.put(&key, &value).unwrap();
                expected.insert(key, value);
            }
            store.checkpoint(b"1", &mut [&mut kept]).unwrap();
        }
        // At any keys, and at each one that ends a section.
        let mut begin_at: Vec<_> = begin_at.iter().map(|number| format!("key {number}").into_bytes()).collect();
        begin_at.extend(expected.keys().filter(|key| ends_section(key)).cloned());
        begin_at.sort();
        let expected = by_the_book(&expected.into_iter().collect::<Vec<_>>());
        for begin_at in [&[], &begin_at[..]] {
            let parting: Vec<_> = begin_at.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(kept.digest_parted(&parting).unwrap(), expected.clone(), "{:?}", begin_at);
        }
        prop_assert_eq!(kept.digest().unwrap(), expected);
    }
}
