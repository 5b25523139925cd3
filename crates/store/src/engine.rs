//! sled itself, and its trees that are in use. It can be opened anew under those who use them.
//!
//! sled writes a snapshot of where everything is only when it is opened, and an opening reads all that was written
//! since. So that a killed process is soon back however long it ran, sled is opened anew every so many bytes.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    database::{Lifetime, Options},
    error::StoreError,
    place::Place,
};

/// How often sled hands what it has to the system by itself, in milliseconds.
const FLUSH_EVERY_MS: u64 = 500;

/// sled, open.
pub(crate) struct Engine {
    options: Options,
    /// Bytes of keys and values written since it was opened.
    written_bytes: AtomicU64,
    /// `None` once opening it anew has failed.
    open: RwLock<Option<Open>>,
}

struct Open {
    /// By slot; a tree that was used once keeps its slot.
    trees: Vec<(String, sled::Tree)>,
    db: sled::Db,
}

impl Engine {
    /// Opens the database of this folder, or makes one.
    pub(crate) fn start(place: &Place, options: Options) -> Result<Self, StoreError> {
        let open = Open { trees: Vec::new(), db: start(place, options)? };
        Ok(Self { options, written_bytes: AtomicU64::new(0), open: RwLock::new(Some(open)) })
    }

    /// Calls sled's database.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&sled::Db) -> sled::Result<R>) -> Result<R, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let Open { db, .. } = open.as_ref().ok_or(StoreError::Broken)?;
        guarded(|| call(db))
    }

    /// Calls the tree in a slot.
    pub(crate) fn call_tree<R>(
        &self,
        slot: usize,
        call: impl FnOnce(&sled::Tree) -> sled::Result<R>,
    ) -> Result<R, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let (_, tree) = open.as_ref().and_then(|open| open.trees.get(slot)).ok_or(StoreError::Broken)?;
        guarded(|| call(tree))
    }

    /// The slot of a tree; makes it where there is none.
    pub(crate) fn open_tree(&self, name: String) -> Result<usize, StoreError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let open = open.as_mut().ok_or(StoreError::Broken)?;
        if let Some(slot) = open.trees.iter().position(|(known, _)| *known == name) {
            return Ok(slot);
        }
        let tree = guarded(|| open.db.open_tree(&name))?;
        open.trees.push((name, tree));
        Ok(open.trees.len() - 1)
    }

    /// Hands everything written to the system.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.call(|db| db.flush().map(drop))
    }

    /// Takes note of what was written.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.written_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether nobody opens it again.
    pub(crate) fn is_scratch(&self) -> bool {
        self.options.is_scratch()
    }

    /// Opens it anew if so much was written that it is time.
    pub(crate) fn renew_if_due(&self, place: &Place) -> Result<(), StoreError> {
        match self.options.lifetime {
            Lifetime::Lasting { snapshot_bytes } if self.written_bytes.load(Ordering::Relaxed) >= snapshot_bytes => {}
            _ => return Ok(()),
        }
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let Open { trees, db } = open.take().ok_or(StoreError::Broken)?;
        guarded(|| db.flush().map(drop))?;
        let names: Vec<_> = trees.into_iter().map(|(name, _)| name).collect();
        drop(db);
        let db = start(place, self.options)?;
        let tree = |name: String| guarded(|| db.open_tree(&name)).map(|tree| (name, tree));
        let trees = names.into_iter().map(tree).collect::<Result<_, _>>()?;
        *open = Some(Open { trees, db });
        self.written_bytes.store(0, Ordering::Relaxed);
        Ok(())
    }
}

/// sled itself; on damaged files it may panic.
fn start(place: &Place, options: Options) -> Result<sled::Db, StoreError> {
    if !place.wait_for_release() {
        return Err(StoreError::InUse { dir: place.dir().to_owned() });
    }
    place.remove_unfinished_snapshots()?;
    let config = sled::Config::new()
        .path(place.database())
        .cache_capacity(options.sled_cache_bytes)
        .flush_every_ms((!options.is_scratch()).then_some(FLUSH_EVERY_MS))
        // Waits for nothing that it writes, and is removed when it is closed.
        .temporary(options.is_scratch())
        .use_compression(false);
    guarded(|| config.open()).map_err(|error| match error {
        // sled has no kind of its own for this; it says nothing against what is in the store.
        StoreError::Damaged { reason } if reason.contains("could not acquire lock") => {
            StoreError::InUse { dir: place.dir().to_owned() }
        }
        other => other,
    })
}

/// Calls sled, which on damaged data may panic.
fn guarded<R>(call: impl FnOnce() -> sled::Result<R>) -> Result<R, StoreError> {
    // What a panic may have left half done is sled's, and nobody calls it again afterwards.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) => answer.map_err(StoreError::from_sled),
        Err(_) => Err(StoreError::damaged("the database panicked")),
    }
}
