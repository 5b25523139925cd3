//! How everybody learns that it is over.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A flag that can be waited for. Once set it stays set.
#[derive(Debug, Default)]
pub struct Stop {
    flag: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Stop {
    /// Ends everything that looks here.
    pub fn set(&self) {
        let _held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.flag.store(true, Ordering::Release);
        self.wake.notify_all();
    }

    /// Whether it is over.
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    /// Waits until it is over, at most so long. Whether it is over.
    pub fn wait(&self, at_most: Duration) -> bool {
        let held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(held, at_most, |()| !self.is_set());
        drop(waited);
        self.is_set()
    }
}
