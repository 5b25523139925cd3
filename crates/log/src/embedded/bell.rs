//! Wakes the threads of this process when something was committed here.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Counts commits, so that none is missed between looking and waiting.
#[derive(Default)]
pub(super) struct Bell {
    rung: Mutex<u64>,
    wake: Condvar,
}

impl Bell {
    /// Something was committed: everyone who waits looks again.
    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.wake.notify_all();
    }

    /// How often it rang; take it before looking.
    pub(super) fn count(&self) -> u64 {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has rung since `heard`, at most `at_most`. Whether it rang.
    pub(super) fn wait(&self, heard: u64, at_most: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(rung, at_most, |rung| *rung == heard);
        *waited.unwrap_or_else(PoisonError::into_inner).0 != heard
    }
}
