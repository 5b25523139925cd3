//! Tests of whole stores. `model` compares random histories with faults to plain maps; the others are cases.

mod aside;
mod cases;
mod digest;
mod journal;
mod model;
mod runs;
mod snapshots;

use std::{
    ops::{ControlFlow, Deref, DerefMut},
    path::Path,
};

use crate::{Codec, Database, Growth, Identity, Lifetime, Opened, Options, Part, Rows, Store, StoreError, Table, open};

/// A record of the tests: bytes; an empty one is not stored.
type Bytes = Vec<u8>;

const CODEC: Codec<Bytes> = Codec {
    encode: |record, bytes| bytes.extend_from_slice(record),
    decode: |bytes| if bytes == b"undecodable" { Err("it says so".into()) } else { Ok(bytes.to_vec()) },
    weigh: |record| size_of::<Bytes>() + record.capacity(),
    keep: |record| !record.is_empty(),
    growth: None,
};

/// A record that grows, and of which a part only counts as it was last.
#[derive(Debug, Clone, Default)]
struct Grown {
    latest: Bytes,
    all: Bytes,
    kept: usize,
}

/// Whatever of it is kept.
impl PartialEq for Grown {
    fn eq(&self, other: &Self) -> bool {
        (&self.latest, &self.all) == (&other.latest, &other.all)
    }
}

impl Grown {
    fn write(&self, from: usize, bytes: &mut Vec<u8>) {
        let all = &self.all[from..];
        for part in [&self.latest, all] {
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
            bytes.extend_from_slice(part);
        }
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut part = || {
            let (length, rest) = bytes.split_first_chunk()?;
            let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            bytes = rest;
            Some(part.to_vec())
        };
        let mut read = Self::default();
        while let Some(latest) = part() {
            read.latest = latest;
            read.all.extend(part()?);
        }
        read.kept = read.all.len();
        Some(read)
    }
}

const GROWN: Codec<Grown> = Codec {
    encode: |record, bytes| record.write(record.kept, bytes),
    decode: |bytes| Grown::read(bytes).ok_or_else(|| "it is cut off".into()),
    weigh: |record| size_of::<Grown>() + record.latest.len() + record.all.len(),
    keep: |record| !record.all.is_empty(),
    growth: Some(Growth {
        kept: |record| record.kept = record.all.len(),
        join: |bytes| {
            let mut joined = Vec::new();
            Grown::read(bytes).ok_or("it is cut off")?.write(0, &mut joined);
            Ok(joined)
        },
    }),
};

const SNAPSHOT_BYTES: u64 = 20_000;
const OPTIONS: Options =
    Options { sled_cache_bytes: 4 << 20, lifetime: Lifetime::Lasting { snapshot_bytes: SNAPSHOT_BYTES } };
const BOOT: &str = "boot-1";

fn identity() -> Identity {
    Identity {
        role: "project".into(),
        log_id: "log".into(),
        topic: "commands".into(),
        generation: "v1".into(),
        format: 1,
    }
}

fn open(dir: &Path) -> Result<Opened, StoreError> {
    open::open(dir, &identity(), OPTIONS, BOOT)
}

impl Store {
    /// Begins a checkpoint, and waits until it counts.
    fn checkpoint<'a>(&'a mut self, position: &[u8], parts: &'a mut [&'a mut dyn Part]) -> Result<(), StoreError> {
        self.begin_checkpoint(position, parts)?.finish()
    }
}

/// A database and the one store that a test has in it.
struct Alone {
    store: Store,
    database: Database,
}

impl Deref for Alone {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl DerefMut for Alone {
    fn deref_mut(&mut self) -> &mut Store {
        &mut self.store
    }
}

impl From<Database> for Alone {
    fn from(database: Database) -> Self {
        Self { store: database.store("s").unwrap(), database }
    }
}

impl Alone {
    fn close(self) -> Result<(), StoreError> {
        drop(self.store);
        self.database.close()
    }

    /// Looks at a tree behind the store's back.
    fn in_sled<R>(&self, tree: &str, look: impl FnOnce(&sled::Tree) -> R) -> R {
        self.database.base.engine.call(|db| Ok(look(&db.open_tree(tree)?))).unwrap()
    }

    /// The write after so many others is refused.
    fn fault_after(&self, writes: u64) {
        self.database.base.batches_until_fault.store(writes, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Opens a store that must not be moved aside.
fn reopen(dir: &Path) -> Alone {
    let opened = open(dir).unwrap();
    assert_eq!(opened.moved_aside, None);
    opened.database.into()
}

fn rows<T: Default>(table: &Table<T>) -> Vec<(Bytes, T)> {
    let mut rows = Vec::new();
    let mut visit = |key: &[u8], record: T| {
        rows.push((key.to_vec(), record));
        Ok(ControlFlow::Continue(()))
    };
    table.scan(b"", &mut visit).unwrap();
    rows
}

/// What the last checkpoint wrote of rows, in their order.
fn kept_rows(rows: &Rows) -> Vec<(Bytes, Bytes)> {
    let mut kept = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        kept.push((key.to_vec(), value.to_vec()));
        Ok(ControlFlow::Continue(()))
    };
    rows.scan(b"", &mut visit).unwrap();
    kept
}
