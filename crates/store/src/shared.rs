//! What the parts of a store hold in common, and what the stores of a database do.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use crate::{
    engine::Engine,
    error::StoreError,
    place::{self, Mark, Place},
};

/// The open database. The place comes last, so that its lock is given back after the database is closed.
pub(crate) struct Base {
    pub(crate) engine: Engine,
    /// How many checkpoints there ever were.
    pub(crate) checkpoints: AtomicU64,
    pub(crate) read_only: bool,
    broken: AtomicBool,
    /// Whether a checkpoint is under way.
    pub(crate) keeping: AtomicBool,
    stores: Mutex<BTreeSet<String>>,
    /// Puts journals' files on the disk.
    pub(crate) syncing: Mutex<Option<Syncing>>,
    #[cfg(test)]
    pub(crate) batches_until_fault: AtomicU64,
    /// Whoever has it holds checkpoints' threads up.
    #[cfg(test)]
    pub(crate) gate: Mutex<()>,
    pub(crate) place: Place,
}

type Syncing = JoinHandle<Result<(), StoreError>>;

/// One store of it; public only as far as [`Steps`](crate::part::Steps) names it.
pub struct Shared {
    pub(crate) base: Arc<Base>,
    pub(crate) name: String,
    parts: Mutex<BTreeSet<String>>,
}

impl Base {
    pub(crate) fn new(engine: Engine, place: Place, checkpoints: u64, read_only: bool) -> Self {
        Self {
            engine,
            checkpoints: AtomicU64::new(checkpoints),
            read_only,
            broken: AtomicBool::new(false),
            keeping: AtomicBool::new(false),
            stores: Mutex::default(),
            syncing: Mutex::default(),
            #[cfg(test)]
            batches_until_fault: AtomicU64::new(u64::MAX),
            #[cfg(test)]
            gate: Mutex::default(),
            place,
        }
    }

    /// After a failure nothing goes on until the database is opened again: what memory says may not be what is on disk.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) { Err(StoreError::Broken) } else { Ok(()) }
    }

    /// Lets nothing go on.
    pub(crate) fn stop(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Calls the engine, and takes note of an error.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&Engine) -> Result<R, StoreError>) -> Result<R, StoreError> {
        call(&self.engine).map_err(|error| self.fail(error))
    }

    /// Takes note of an error: nothing goes on after it, and a damaged database is moved aside when it is opened next.
    pub(crate) fn fail(&self, error: StoreError) -> StoreError {
        self.stop();
        if let StoreError::Damaged { reason } = &error {
            let reason = reason.clone();
            if let Err(error) = self.place.set_mark(&Mark::Condemned { reason }) {
                tracing::error!(%error, "a damaged store could not be marked");
            }
        }
        error
    }

    /// See [`Database::sync_ahead`](crate::Database::sync_ahead).
    pub(crate) fn sync_ahead(&self) -> Result<(), StoreError> {
        let mut syncing = locked(&self.syncing);
        if syncing.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        syncing.take().map_or(Ok(()), synced)?;
        let journals = self.place.journals();
        if !journals.is_dir() {
            return Ok(());
        }
        let thread = thread::Builder::new().name("sync".to_owned()).spawn(move || place::sync(&journals));
        *syncing = Some(thread.map_err(StoreError::no_thread)?);
        Ok(())
    }

    /// Waits for that. The system tells of a write that failed only once.
    pub(crate) fn synced(&self) -> Result<(), StoreError> {
        locked(&self.syncing).take().map_or(Ok(()), synced)
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
}

impl Shared {
    /// Takes a store's name; one name can be taken once at a time.
    pub(crate) fn take(base: &Arc<Base>, name: &str) -> Result<Self, StoreError> {
        if !locked(&base.stores).insert(name.to_owned()) {
            return Err(StoreError::Misuse(format!("the store {name} is open already")));
        }
        Ok(Self { base: Arc::clone(base), name: name.to_owned(), parts: Mutex::default() })
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.base.check()
    }

    pub(crate) fn damaged(&self, reason: impl Into<String>) -> StoreError {
        self.base.fail(StoreError::damaged(reason))
    }

    #[cfg(test)]
    pub(crate) fn fault(&self) -> Result<(), StoreError> {
        self.base.fault()
    }

    /// The names of the parts that are in use.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        locked(&self.parts).clone()
    }

    /// Takes a part's name; `false` if it is in use.
    pub(crate) fn take_name(&self, name: &str) -> bool {
        locked(&self.parts).insert(name.to_owned())
    }

    /// Gives it back.
    pub(crate) fn free_name(&self, name: &str) {
        locked(&self.parts).remove(name);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        locked(&self.base.stores).remove(&self.name);
    }
}

fn synced(thread: Syncing) -> Result<(), StoreError> {
    thread.join().unwrap_or_else(|_| Err(StoreError::damaged("putting files on the disk panicked")))
}

pub(crate) fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
