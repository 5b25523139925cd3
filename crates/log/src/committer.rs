//! Threads that commit transactions, in the order given. A transaction comes in parts, the last of which completes it:
//! the first ones are written while the next are made.
//!
//! Each thread is a *lane*: it writes a transaction and then commits it, and does either only when the one before is
//! that far. So with two lanes one is written while the one before is committed; rows still lie in the log in the order
//! given, and nothing is committed whose predecessor is not.
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

/// So many parts wait at most until they are written.
const PARTS_WAITING: u64 = 16;
/// The memory of so many parts is kept for the next ones: those of a whole transaction, mostly.
const SPARE_PARTS: usize = 16;

/// What can have one transaction at a time. After an error nothing of it is ever read, and no other is tried.
pub(crate) trait Lane: Send + 'static {
    /// What takes longer than this hangs.
    const HANGS_AFTER: Duration;

    /// Writes a part of the transaction, and begins it with the first one.
    fn write(&mut self, part: Batch) -> Result<(), LogError>;
    /// Completes it with the positions of the part that came last, and gives all parts back: their rows have their
    /// places in the log, but need not be read by anybody before [`Self::commit`].
    fn complete(&mut self) -> Result<Vec<Batch>, LogError>;
    /// Commits what is complete.
    fn commit(&mut self) -> Result<(), LogError>;
    /// Gives up what was written, if anything was.
    fn abort(&mut self);
}

/// Hands transactions to the threads and knows how far they are.
pub(crate) struct Committer {
    lanes: Vec<SyncSender<Part>>,
    threads: Vec<JoinHandle<()>>,
    /// Parts that are committed, and empty again.
    spare: Receiver<Batch>,
    progress: Arc<Progress>,
}

/// A part of a transaction.
struct Part {
    /// How many transactions are before it.
    number: u64,
    rows: Batch,
    is_last: bool,
}

impl Committer {
    /// Starts a thread for each lane: so many transactions are under way at most.
    pub(crate) fn start<L: Lane>(lanes: Vec<L>) -> Result<Self, LogError> {
        let (done, spare) = sync_channel(SPARE_PARTS);
        let progress = Arc::new(Progress::new(L::HANGS_AFTER));
        let mut committer = Self { lanes: Vec::new(), threads: Vec::new(), spare, progress };
        for mut lane in lanes {
            // Always has room: how many parts wait is bounded before.
            let (give, parts) = sync_channel(PARTS_WAITING as usize);
            let (done, ending) = (done.clone(), Ending(Arc::clone(&committer.progress)));
            let thread = thread::Builder::new()
                .name("commit".to_owned())
                .spawn(move || run(&mut lane, &parts, &done, &ending.0))
                .map_err(|e| LogError::Refused(format!("no thread for transactions: {e}")))?;
            committer.lanes.push(give);
            committer.threads.push(thread);
        }
        Ok(committer)
    }

    /// Hands over a part of a transaction that is not complete, and leaves an empty one. Waits while too many wait to be
    /// written.
    pub(crate) fn write(&mut self, part: &mut Batch) -> Result<(), LogError> {
        self.give(part, false)
    }

    /// The same with the last part of a transaction, which may be the only one. Waits also while as many transactions as
    /// there are lanes are complete and not committed.
    pub(crate) fn submit(&mut self, part: &mut Batch) -> Result<(), LogError> {
        self.give(part, true)
    }

    fn give(&mut self, part: &mut Batch, is_last: bool) -> Result<(), LogError> {
        let lanes = self.lanes.len() as u64;
        self.progress.wait(|state| state.parts_waiting < PARTS_WAITING && (!is_last || state.under_way() < lanes))?;
        let number = self.progress.advance(|state| state.give(is_last));
        let rows = std::mem::replace(part, self.spare.try_recv().unwrap_or_default());
        let lane = self.lanes.get((number % lanes.max(1)) as usize);
        if lane.is_some_and(|lane| lane.send(Part { number, rows, is_last }).is_ok()) {
            return Ok(());
        }
        self.committed().and_then(|_| Err(ended()))
    }

    /// How many transactions are committed, or why no more will be.
    pub(crate) fn committed(&self) -> Result<u64, LogError> {
        self.progress.now(|state| state.committed)
    }

    /// Waits up to `wait` until a transaction that is submitted then is written at once: every one before it is
    /// written, and a lane is free. Whether it is so.
    pub(crate) fn is_ready_within(&self, wait: Duration) -> Result<bool, LogError> {
        let lanes = self.lanes.len() as u64;
        self.progress.wait_up_to(wait, |state| state.written == state.submitted && state.under_way() < lanes)
    }

    /// Waits until everything submitted is committed.
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

fn run(lane: &mut impl Lane, parts: &Receiver<Part>, done: &SyncSender<Batch>, progress: &Progress) {
    for part in parts {
        if let Err(failure) = take_in_turn(lane, part, done, progress) {
            tracing::warn!("a transaction did not commit: {failure}");
            progress.fail(failure);
            break;
        }
    }
    lane.abort();
}

fn take_in_turn(
    lane: &mut impl Lane,
    part: Part,
    done: &SyncSender<Batch>,
    progress: &Progress,
) -> Result<(), LogError> {
    let Part { number, rows, is_last } = part;
    progress.wait(|state| state.written == number)?;
    lane.write(rows)?;
    progress.advance(|state| state.parts_waiting -= 1);
    if !is_last {
        return Ok(());
    }
    let parts = lane.complete()?;
    progress.advance(|state| state.written += 1);
    progress.wait(|state| state.committed == number)?;
    lane.commit()?;
    progress.advance(|state| state.committed += 1);
    for mut part in parts {
        part.clear();
        // Where there are spare ones enough, this one goes.
        let _ = done.try_send(part);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// What lanes did, in order: "begin 0", "write 0", "complete 0", "commit 0", "abort 1".
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

    /// Fails to commit one transaction, and commits each other one only while the next is written.
    struct Fake {
        diary: Arc<Diary>,
        fails_at: u64,
        last: u64,
        parts: Vec<Batch>,
        number: Option<u64>,
    }

    impl Lane for Fake {
        const HANGS_AFTER: Duration = Duration::from_secs(60);

        fn write(&mut self, part: Batch) -> Result<(), LogError> {
            let number = part.positions()[0].committed.next_offset;
            if self.number.is_none() {
                self.number = Some(number);
                self.diary.note(format!("begin {number}"));
                let next = format!("begin {}", number + 1);
                if number == 0 && self.diary.has(&next, Duration::from_millis(100)) {
                    return Err(LogError::Refused(format!("{next} before 0 was complete")));
                }
            }
            assert_eq!(self.number, Some(number), "another transaction is open");
            self.diary.note(format!("write {number}"));
            self.parts.push(part);
            Ok(())
        }

        fn complete(&mut self) -> Result<Vec<Batch>, LogError> {
            self.diary.note(format!("complete {}", self.number.unwrap()));
            Ok(std::mem::take(&mut self.parts))
        }

        fn commit(&mut self) -> Result<(), LogError> {
            let number = self.number.unwrap();
            let next = format!("complete {}", number + 1);
            if number < self.last && !self.diary.has(&next, Duration::from_secs(10)) {
                return Err(LogError::Refused(format!("no {next}")));
            }
            if number == self.fails_at {
                return Err(LogError::Transaction("as it should".to_owned()));
            }
            self.diary.note(format!("commit {number}"));
            self.number = None;
            Ok(())
        }

        fn abort(&mut self) {
            if let Some(number) = self.number.take() {
                self.diary.note(format!("abort {number}"));
            }
        }
    }

    fn start(last: u64, fails_at: u64) -> (Arc<Diary>, Committer) {
        let diary = Arc::new(Diary::default());
        let lane = |_| Fake { diary: Arc::clone(&diary), fails_at, last, parts: Vec::new(), number: None };
        let committer = Committer::start((0..2).map(lane).collect()).unwrap();
        (diary, committer)
    }

    fn give(committer: &mut Committer, number: u64, is_last: bool) -> Result<(), LogError> {
        let mut part = Batch::default();
        part.commit(0, number, String::new());
        if is_last {
            committer.submit(&mut part)?
        } else {
            committer.write(&mut part)?
        }
        assert!(part.is_empty());
        Ok(())
    }

    /// Submits transactions up to `last`, the first of which is number 0, each in three parts.
    fn submit(last: u64, fails_at: u64) -> (Arc<Diary>, Committer, Result<(), LogError>) {
        let (diary, mut committer) = start(last, fails_at);
        let submitted = (0..=last).try_for_each(|number| {
            [false, false, true].iter().try_for_each(|last| give(&mut committer, number, *last))
        });
        (diary, committer, submitted)
    }

    #[test]
    fn one_is_written_while_the_one_before_is_committed_and_all_in_order() {
        let (diary, mut committer, submitted) = submit(20, u64::MAX);
        submitted.and(committer.settle()).unwrap();
        assert_eq!((committer.committed().unwrap(), committer.is_ready_within(Duration::ZERO).unwrap()), (21, true));
        for (what, times) in [("begin", 1), ("write", 3), ("complete", 1), ("commit", 1)] {
            let each = |number| std::iter::repeat_n(format!("{what} {number}"), times);
            assert_eq!(diary.of(what), (0..=20).flat_map(each).collect::<Vec<_>>());
        }
        committer.stop().into_iter().for_each(|thread| thread.join().unwrap());
        assert!(committer.submit(&mut Batch::default()).is_err());
    }

    #[test]
    fn nothing_is_committed_after_one_that_is_not() {
        let (diary, mut committer, _) = submit(20, 7);
        let why = LogError::Transaction("as it should".to_owned()).to_string();
        for failure in
            [committer.settle().err(), committer.committed().err(), committer.is_ready_within(Duration::MAX).err()]
        {
            assert_eq!(failure.unwrap().to_string(), why);
        }
        committer.stop().into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(diary.of("commit").last().unwrap(), "commit 6");
        assert_eq!(diary.of("complete").last().unwrap(), "complete 8");
        assert_eq!(diary.of("abort").len(), 2, "{:?}", diary.of("abort"));
    }

    #[test]
    fn the_first_parts_are_written_before_the_last_comes_and_given_up_without_it() {
        let (diary, mut committer) = start(0, u64::MAX);
        give(&mut committer, 0, false).unwrap();
        assert!(diary.has("write 0", Duration::from_secs(10)));
        assert!(committer.is_ready_within(Duration::ZERO).unwrap(), "the rest would be written at once");
        committer.settle().unwrap();
        committer.stop().into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((diary.of("complete").len(), diary.of("abort")), (0, vec!["abort 0".to_owned()]));
    }

    #[test]
    fn only_so_many_parts_wait() {
        let (allow, allowed) = sync_channel(0);
        let mut committer = Committer::start(vec![Hanging(allowed)]).unwrap();
        for _ in 0..PARTS_WAITING {
            committer.write(&mut Batch::default()).unwrap();
        }
        assert!(committer.write(&mut Batch::default()).is_err(), "it has not waited");
        drop(allow);
        committer.stop().into_iter().for_each(|thread| thread.join().unwrap());
    }

    /// Writes only once the test allows it.
    struct Hanging(Receiver<()>);

    impl Lane for Hanging {
        const HANGS_AFTER: Duration = Duration::from_millis(50);

        fn write(&mut self, _: Batch) -> Result<(), LogError> {
            let _ = self.0.recv();
            Ok(())
        }

        fn complete(&mut self) -> Result<Vec<Batch>, LogError> {
            Ok(Vec::new())
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
