//! The thread that commits: one transaction after the other, in the order given, at most two under way.
//!
//! A transaction that fails ends it: nothing given later is committed, and every later call says why.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::{context::locked, transaction::Transactions};
use crate::{Batch, LogError};

/// How many batches wait while one is being committed: two are under way at most.
const WAITING_BATCHES: usize = 1;

/// Hands batches to the thread and knows how far it is.
pub(super) struct Committer {
    batches: Option<SyncSender<Batch>>,
    /// Batches that are committed, and empty again.
    spare: Receiver<Batch>,
    progress: Arc<Progress>,
    submitted: u64,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Progress {
    state: Mutex<State>,
    changed: Condvar,
    abandoned: AtomicBool,
}

#[derive(Default)]
struct State {
    committed: u64,
    failure: Option<LogError>,
}

impl Committer {
    /// Starts the thread.
    pub(super) fn start(transactions: Transactions) -> Result<Self, LogError> {
        let (batches, receiver) = sync_channel(WAITING_BATCHES);
        let (done, spare) = sync_channel(WAITING_BATCHES + 1);
        let progress = Arc::new(Progress::default());
        let ending = Ending(Arc::clone(&progress));
        let thread = thread::Builder::new()
            .name("kafka-commit".to_owned())
            .spawn(move || run(&transactions, &receiver, &done, &ending.0))
            .map_err(|e| LogError::Refused(format!("no thread for transactions: {e}")))?;
        Ok(Self { batches: Some(batches), spare, progress, submitted: 0, thread: Some(thread) })
    }

    /// Hands over a batch, and leaves an empty one; waits while two are under way.
    pub(super) fn submit(&mut self, batch: &mut Batch) -> Result<(), LogError> {
        self.committed()?;
        let batch = std::mem::replace(batch, self.spare.try_recv().unwrap_or_default());
        if self.batches.as_ref().is_some_and(|batches| batches.send(batch).is_ok()) {
            self.submitted += 1;
            return Ok(());
        }
        self.committed().and_then(|_| Err(ended()))
    }

    /// How many batches are committed, or why no more will be.
    pub(super) fn committed(&self) -> Result<u64, LogError> {
        let state = locked(&self.progress.state);
        state.failure.clone().map_or(Ok(state.committed), Err)
    }

    /// Waits until all batches are committed. Every call in a transaction has a time-out, so this has an end.
    pub(super) fn settle(&self) -> Result<(), LogError> {
        let state = locked(&self.progress.state);
        let pending = |state: &mut State| state.failure.is_none() && state.committed < self.submitted;
        let state = self.progress.changed.wait_while(state, pending).unwrap_or_else(PoisonError::into_inner);
        state.failure.clone().map_or(Ok(()), Err)
    }

    /// Lets the thread end after the transaction it is in; what waits behind it is not begun.
    pub(super) fn stop(&mut self) -> Option<JoinHandle<()>> {
        self.progress.abandoned.store(true, Ordering::Relaxed);
        self.batches = None;
        self.thread.take()
    }
}

fn ended() -> LogError {
    LogError::Transaction("the thread for transactions has ended".to_owned())
}

impl Progress {
    fn fail(&self, failure: LogError) {
        locked(&self.state).failure.get_or_insert(failure);
        self.changed.notify_all();
    }
}

/// Whatever ends the thread, nobody waits for it for ever.
struct Ending(Arc<Progress>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.fail(ended());
    }
}

fn run(transactions: &Transactions, batches: &Receiver<Batch>, done: &SyncSender<Batch>, progress: &Progress) {
    for mut batch in batches {
        if progress.abandoned.load(Ordering::Relaxed) {
            break;
        }
        if let Err(failure) = transactions.commit(&batch) {
            tracing::warn!("a transaction of {} rows did not commit: {failure}", batch.len());
            progress.fail(failure);
            break;
        }
        locked(&progress.state).committed += 1;
        progress.changed.notify_all();
        batch.clear();
        // Where there are spare ones enough, this one goes.
        let _ = done.try_send(batch);
    }
}
