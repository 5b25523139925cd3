//! What a store, its tables and its journals hold in common: the database and which attempts count.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{
    error::StoreError,
    place::{Mark, Place},
};

/// The open database; public only as far as [`Steps`](crate::part::Steps) names it. The place comes last, so that its lock is given back after the database is closed.
pub struct Shared {
    pub(crate) db: sled::Db,
    committed: AtomicU64,
    failed: Vec<u64>,
    broken: AtomicBool,
    names: Mutex<BTreeSet<String>>,
    #[cfg(test)]
    pub(crate) batches_until_fault: AtomicU64,
    pub(crate) place: Place,
}

impl Shared {
    pub(crate) fn new(db: sled::Db, place: Place, committed: u64, failed: Vec<u64>) -> Self {
        Self {
            db,
            committed: AtomicU64::new(committed),
            failed,
            broken: AtomicBool::new(false),
            names: Mutex::default(),
            #[cfg(test)]
            batches_until_fault: AtomicU64::new(u64::MAX),
            place,
        }
    }

    /// Whether what this attempt wrote counts.
    pub(crate) fn counts(&self, attempt: u64) -> bool {
        attempt <= self.committed.load(Ordering::Relaxed) && self.failed.binary_search(&attempt).is_err()
    }

    pub(crate) fn commit(&self, attempt: u64) {
        self.committed.store(attempt, Ordering::Relaxed);
    }

    /// After a failure nothing goes on until the store is opened again: what memory says may not be what is on disk.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) { Err(StoreError::Broken) } else { Ok(()) }
    }

    /// Calls sled. It may fail, and on damaged data it may panic.
    pub(crate) fn call<R>(&self, call: impl FnOnce() -> sled::Result<R>) -> Result<R, StoreError> {
        guarded(call).map_err(|error| self.fail(error))
    }

    /// Takes note of an error: nothing goes on after it, and a damaged store is moved aside when it is opened next.
    pub(crate) fn fail(&self, error: StoreError) -> StoreError {
        self.broken.store(true, Ordering::Relaxed);
        if let StoreError::Damaged { reason } = &error {
            let reason = reason.clone();
            if let Err(error) = self.place.set_mark(&Mark::Condemned { reason }) {
                tracing::error!(%error, "a damaged store could not be marked");
            }
        }
        error
    }

    pub(crate) fn damaged(&self, reason: impl Into<String>) -> StoreError {
        self.fail(StoreError::damaged(reason))
    }

    /// In tests: counts down to the write that the disk refuses.
    #[cfg(test)]
    pub(crate) fn fault(&self) -> Result<(), StoreError> {
        match self.batches_until_fault.load(Ordering::Relaxed) {
            0 => Err(StoreError::Io { what: "a fault was asked for".into(), source: std::io::Error::other("fault") }),
            left => {
                self.batches_until_fault.store(left - 1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// The names of the tables and journals that are in use.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Calls sled where there is no store yet to take note of an error.
pub(crate) fn guarded<R>(call: impl FnOnce() -> sled::Result<R>) -> Result<R, StoreError> {
    // What a panic may have left half done is sled's, and nobody calls it again afterwards.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) => answer.map_err(StoreError::from_sled),
        Err(_) => Err(StoreError::damaged("the database panicked")),
    }
}

/// A name in use: two caches over the same records would overwrite each other's.
pub(crate) struct Name {
    name: String,
    pub(crate) shared: Arc<Shared>,
}

impl Name {
    pub(crate) fn take(shared: &Arc<Shared>, name: String) -> Result<Self, StoreError> {
        let mut names = shared.names.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.insert(name.clone()) {
            return Err(StoreError::Misuse(format!("{name} is open already")));
        }
        drop(names);
        Ok(Self { name, shared: Arc::clone(shared) })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.name
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        self.shared.names.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}
