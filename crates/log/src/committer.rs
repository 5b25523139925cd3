//! Threads that commit: each batch is one transaction, in the order given.
//!
//! Each thread is a *lane*: it writes a batch and then commits it, and does either only when the batch before is that
//! far. So with two lanes one batch is written while the one before is committed; rows still lie in the log in the
//! order given, and nothing is committed whose predecessor is not.
//!
//! A transaction that fails ends all: nothing given later is committed, and every later call says why. So does one that
//! hangs: not every call of librdkafka keeps to its time-out.

mod progress;

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use self::progress::{Ending, Progress, ended};
use crate::{Batch, LogError};

/// What can have one transaction at a time.
pub(crate) trait Lane: Send + 'static {
    /// A write or a commit that takes longer than this hangs.
    const HANGS_AFTER: Duration;

    /// Writes a batch, and gives it back: its rows have their places in the log, but need not be read by anybody before
    /// [`Self::commit`]. After an error nothing of it ever is, and no other is tried.
    fn write(&mut self, batch: Batch) -> Result<Batch, LogError>;
    /// Commits what was written. After an error no other is tried.
    fn commit(&mut self) -> Result<(), LogError>;
    /// Gives up what was written.
    fn abort(&mut self);
}

/// Hands batches to the threads and knows how far they are.
pub(crate) struct Committer {
    lanes: Vec<SyncSender<Submitted>>,
    threads: Vec<JoinHandle<()>>,
    /// Batches that are committed, and empty again.
    spare: Receiver<Batch>,
    progress: Arc<Progress>,
}

/// A batch, and how many were submitted before it.
type Submitted = (u64, Batch);

impl Committer {
    /// Starts a thread for each lane: so many batches are under way at most.
    pub(crate) fn start<L: Lane>(lanes: Vec<L>) -> Result<Self, LogError> {
        let (done, spare) = sync_channel(lanes.len());
        let progress = Arc::new(Progress::new(L::HANGS_AFTER));
        let mut committer = Self { lanes: Vec::new(), threads: Vec::new(), spare, progress };
        for mut lane in lanes {
            // A lane is given a batch only when it is done with the one before.
            let (submit, batches) = sync_channel(1);
            let (done, ending) = (done.clone(), Ending(Arc::clone(&committer.progress)));
            let thread = thread::Builder::new()
                .name("commit".to_owned())
                .spawn(move || run(&mut lane, &batches, &done, &ending.0))
                .map_err(|e| LogError::Refused(format!("no thread for transactions: {e}")))?;
            committer.lanes.push(submit);
            committer.threads.push(thread);
        }
        Ok(committer)
    }

    /// Hands over a batch, and leaves an empty one; waits while as many as there are lanes are under way.
    pub(crate) fn submit(&mut self, batch: &mut Batch) -> Result<(), LogError> {
        let lanes = self.lanes.len() as u64;
        self.progress.wait(|state| state.under_way() < lanes)?;
        let number = self.progress.advance(|state| {
            state.submitted += 1;
            state.submitted - 1
        });
        let batch = std::mem::replace(batch, self.spare.try_recv().unwrap_or_default());
        let lane = self.lanes.get((number % lanes.max(1)) as usize);
        if lane.is_some_and(|lane| lane.send((number, batch)).is_ok()) {
            return Ok(());
        }
        self.committed().and_then(|_| Err(ended()))
    }

    /// How many batches are committed, or why no more will be.
    pub(crate) fn committed(&self) -> Result<u64, LogError> {
        self.progress.now(|state| state.committed)
    }

    /// Waits up to `wait` until a batch that is submitted then is begun at once: every one before it is written, and a
    /// lane is free. Whether it is so.
    pub(crate) fn is_ready_within(&self, wait: Duration) -> Result<bool, LogError> {
        let lanes = self.lanes.len() as u64;
        self.progress.wait_up_to(wait, |state| state.written == state.submitted && state.under_way() < lanes)
    }

    /// Waits until all batches are committed.
    pub(crate) fn settle(&self) -> Result<(), LogError> {
        self.progress.wait(|state| state.under_way() == 0)
    }

    /// Lets the threads end. What is not committed yet is given up.
    pub(crate) fn stop(&mut self) -> Vec<JoinHandle<()>> {
        self.lanes.clear();
        self.progress.fail(ended());
        std::mem::take(&mut self.threads)
    }
}

fn run(lane: &mut impl Lane, batches: &Receiver<Submitted>, done: &SyncSender<Batch>, progress: &Progress) {
    for (number, batch) in batches {
        let rows = batch.len();
        match commit_in_turn(lane, batch, number, progress) {
            Ok(mut batch) => {
                batch.clear();
                // Where there are spare ones enough, this one goes.
                let _ = done.try_send(batch);
            }
            Err(failure) => {
                tracing::warn!("a transaction of {rows} rows did not commit: {failure}");
                progress.fail(failure);
                break;
            }
        }
    }
}

fn commit_in_turn(lane: &mut impl Lane, batch: Batch, number: u64, progress: &Progress) -> Result<Batch, LogError> {
    progress.wait(|state| state.written == number)?;
    let batch = lane.write(batch)?;
    progress.advance(|state| state.written += 1);
    if let Err(failure) = progress.wait(|state| state.committed == number) {
        lane.abort();
        return Err(failure);
    }
    lane.commit()?;
    progress.advance(|state| state.committed += 1);
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// What lanes did, in order: "begin 0", "write 0", "commit 0", "abort 1".
    #[derive(Default)]
    struct Diary {
        events: Mutex<Vec<String>>,
        changed: Condvar,
    }

    impl Diary {
        fn note(&self, event: String) {
            self.events.lock().unwrap().push(event);
            self.changed.notify_all();
        }

        /// Whether an event comes, if one waits for it.
        fn has(&self, event: &str, patience: Duration) -> bool {
            let missing = |events: &mut Vec<String>| !events.iter().any(|noted| noted == event);
            let events = self.events.lock().unwrap();
            !self.changed.wait_timeout_while(events, patience, missing).unwrap().1.timed_out()
        }

        fn of(&self, what: &str) -> Vec<String> {
            self.events.lock().unwrap().iter().filter(|event| event.starts_with(what)).cloned().collect()
        }
    }

    /// Fails to commit one batch, and commits each other one only while the next is written.
    struct Fake {
        diary: Arc<Diary>,
        fails_at: u64,
        last: u64,
        number: u64,
    }

    impl Lane for Fake {
        const HANGS_AFTER: Duration = Duration::from_secs(60);

        fn write(&mut self, batch: Batch) -> Result<Batch, LogError> {
            self.number = batch.positions()[0].committed.next_offset;
            self.diary.note(format!("begin {}", self.number));
            if self.number == 0 && self.diary.has("begin 1", Duration::from_millis(100)) {
                return Err(LogError::Refused("1 was begun before 0 was written".to_owned()));
            }
            self.diary.note(format!("write {}", self.number));
            Ok(batch)
        }

        fn commit(&mut self) -> Result<(), LogError> {
            let next = format!("write {}", self.number + 1);
            if self.number < self.last && !self.diary.has(&next, Duration::from_secs(10)) {
                return Err(LogError::Refused(format!("no {next}")));
            }
            if self.number == self.fails_at {
                return Err(LogError::Transaction("as it should".to_owned()));
            }
            self.diary.note(format!("commit {}", self.number));
            Ok(())
        }

        fn abort(&mut self) {
            self.diary.note(format!("abort {}", self.number));
        }
    }

    /// Submits batches up to `last`, the first of which is number 0.
    fn submit(last: u64, fails_at: u64) -> (Arc<Diary>, Committer, Result<(), LogError>) {
        let diary = Arc::new(Diary::default());
        let lane = |_| Fake { diary: Arc::clone(&diary), fails_at, last, number: 0 };
        let mut committer = Committer::start((0..2).map(lane).collect()).unwrap();
        let mut batch = Batch::default();
        let submitted = (0..=last).try_for_each(|number| {
            batch.commit(0, number, String::new());
            committer.submit(&mut batch)?;
            assert!(batch.is_empty());
            Ok(())
        });
        (diary, committer, submitted)
    }

    #[test]
    fn one_batch_is_written_while_the_one_before_is_committed_and_all_in_order() {
        let (diary, mut committer, submitted) = submit(20, u64::MAX);
        submitted.and(committer.settle()).unwrap();
        assert_eq!((committer.committed().unwrap(), committer.is_ready_within(Duration::ZERO).unwrap()), (21, true));
        for what in ["write", "commit"] {
            assert_eq!(diary.of(what), (0..=20).map(|number| format!("{what} {number}")).collect::<Vec<_>>());
        }
        committer.stop().into_iter().for_each(|thread| thread.join().unwrap());
        assert!(committer.submit(&mut Batch::default()).is_err());
    }

    #[test]
    fn nothing_is_committed_after_a_batch_that_is_not() {
        let (diary, mut committer, _) = submit(20, 7);
        let why = LogError::Transaction("as it should".to_owned()).to_string();
        for failure in
            [committer.settle().err(), committer.committed().err(), committer.is_ready_within(Duration::MAX).err()]
        {
            assert_eq!(failure.unwrap().to_string(), why);
        }
        committer.stop().into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(diary.of("commit").last().unwrap(), "commit 6");
        assert_eq!(diary.of("write").last().unwrap(), "write 8");
        assert_eq!(diary.of("abort"), ["abort 8"]);
    }

    /// Writes only once the test allows it.
    struct Hanging(Receiver<()>);

    impl Lane for Hanging {
        const HANGS_AFTER: Duration = Duration::from_millis(50);

        fn write(&mut self, batch: Batch) -> Result<Batch, LogError> {
            let _ = self.0.recv();
            Ok(batch)
        }

        fn commit(&mut self) -> Result<(), LogError> {
            panic!("nobody waits for this one any more");
        }

        fn abort(&mut self) {}
    }

    type Call = fn(&mut Committer) -> Result<(), LogError>;

    #[test]
    fn nobody_waits_for_ever_for_a_call_that_hangs() {
        let calls: [Call; 4] = [
            |committer| committer.submit(&mut Batch::default()),
            |committer| committer.settle(),
            |committer| committer.is_ready_within(Duration::MAX).map(drop),
            |committer| loop {
                committer.committed()?;
            },
        ];
        for call in calls {
            let (allow, allowed) = sync_channel(0);
            let mut committer = Committer::start(vec![Hanging(allowed)]).unwrap();
            committer.submit(&mut Batch::default()).unwrap();
            let failure = call(&mut committer).unwrap_err().to_string();
            assert!(failure.contains("has not gone on for 50ms"), "{failure}");
            drop(allow);
            committer.stop().into_iter().for_each(|thread| thread.join().unwrap());
        }
    }
}
