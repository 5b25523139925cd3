//! How far the transactions are, for those who wait for that; and that nobody waits for ever.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::LogError;

/// How far the transactions are, and who waits for that.
pub(super) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
    hangs_after: Duration,
}

/// Counts of transactions, and of parts of them.
pub(super) struct State {
    /// Those that are complete.
    pub(super) submitted: u64,
    /// Of these, so many are in the log, though nobody may read them yet.
    pub(super) written: u64,
    pub(super) committed: u64,
    /// Parts that are yet to be written.
    pub(super) parts_waiting: u64,
    /// When one of these last changed.
    moved: Instant,
    failure: Option<LogError>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a transaction comes too late.
pub(super) fn ended() -> LogError {
    LogError::Transaction("the threads for transactions have ended".to_owned())
}

impl State {
    /// Notes a part, and says how many transactions are before it.
    pub(super) fn give(&mut self, is_last: bool) -> u64 {
        let number = self.submitted;
        self.submitted += u64::from(is_last);
        self.parts_waiting += 1;
        number
    }

    /// How many are complete and not committed.
    pub(super) fn under_way(&self) -> u64 {
        self.submitted - self.committed
    }

    /// Whether the threads have something to do.
    fn is_busy(&self) -> bool {
        self.parts_waiting > 0 || self.under_way() > 0
    }
}

impl Progress {
    pub(super) fn new(hangs_after: Duration) -> Self {
        let state =
            State { submitted: 0, written: 0, committed: 0, parts_waiting: 0, moved: Instant::now(), failure: None };
        Self { state: Mutex::new(state), changed: Condvar::new(), hangs_after }
    }

    /// Waits until `is_reached`, or for the reason why it never will be.
    pub(super) fn wait(&self, is_reached: impl Fn(&State) -> bool) -> Result<(), LogError> {
        self.wait_up_to(Duration::MAX, is_reached).map(drop)
    }

    /// The same, but no longer than `patience`. Whether it is reached.
    pub(super) fn wait_up_to(&self, patience: Duration, is_reached: impl Fn(&State) -> bool) -> Result<bool, LogError> {
        let begun = Instant::now();
        let mut state = locked(&self.state);
        loop {
            let left = self.check(&mut state)?.min(patience.saturating_sub(begun.elapsed()));
            if is_reached(&state) {
                return Ok(true);
            }
            if left.is_zero() {
                return Ok(false);
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What holds now, or why nothing will any more.
    pub(super) fn now<T>(&self, what: impl FnOnce(&State) -> T) -> Result<T, LogError> {
        let mut state = locked(&self.state);
        self.check(&mut state)?;
        Ok(what(&state))
    }

    /// How soon something must have changed, or why nothing will any more.
    fn check(&self, state: &mut State) -> Result<Duration, LogError> {
        let rested = if state.is_busy() { state.moved.elapsed() } else { Duration::ZERO };
        let left = self.hangs_after.saturating_sub(rested);
        if left.is_zero() && state.failure.is_none() {
            let text = format!("it has not gone on for {:?}", self.hangs_after);
            state.failure = Some(LogError::Transaction(text));
            self.changed.notify_all();
        }
        state.failure.clone().map_or(Ok(left), Err)
    }

    /// Changes the counts, and wakes up whoever waits.
    pub(super) fn advance<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        let mut state = locked(&self.state);
        state.moved = Instant::now();
        self.changed.notify_all();
        step(&mut state)
    }

    /// Says why nothing goes on. The first reason stays.
    pub(super) fn fail(&self, failure: LogError) {
        self.advance(|state| {
            state.failure.get_or_insert(failure);
        });
    }
}

/// Whatever ends a thread, nobody waits for it for ever.
pub(super) struct Ending(pub(super) Arc<Progress>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.fail(ended());
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_wait_ends_with_what_it_is_for_or_with_its_time() {
        let progress = Progress::new(Duration::from_secs(60));
        progress.advance(|state| state.give(true));
        let rests = |patience| progress.wait_up_to(patience, |state| state.under_way() == 0).unwrap();
        assert!(!rests(Duration::ZERO) && !rests(Duration::from_millis(1)));
        thread::scope(|scope| {
            scope.spawn(|| progress.advance(|state| state.committed += 1));
            assert!(rests(Duration::from_secs(30)));
        });
    }

    #[test]
    fn rest_is_no_hanging() {
        let progress = Progress::new(Duration::from_nanos(1));
        progress.wait(|state| state.under_way() == 0).unwrap();
        progress.advance(|state| {
            state.give(false);
            state.parts_waiting -= 1;
        });
        progress.wait(|state| state.parts_waiting == 0).unwrap();
        progress.advance(|state| state.give(true));
        progress.wait(|state| state.under_way() == 0).unwrap_err();
    }
}
