//! The projector: commands in, rows and positions out in one transaction, then its stores (`keep`).

mod keep;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use partyline_ledger::{Applied, Outcome};
use partyline_log::{Backend, Event, Gained, Intake, LogError, Offset, Partition, Records};
use partyline_store::{Database, StoreError};
use partyline_wire::Verdict;

use crate::{
    Counts, Layout, Settings, WorkError, decide,
    fold::{Decoded, Folded, decode, fold, fold_quietly, retell},
    held::{Held, Pending, Phase},
    keeping::Keeping,
    outbox::{Outbox, Telling, rows_out},
    state::{PartitionState, StatePosition, open},
};

/// A history up to this many chunks is told at once, without its partition stepping aside.
const CHUNKS_AT_ONCE: usize = 4;
/// Each step works on the stores for so many bytes, and twice as many as it read: more than that never comes to be done.
const STORE_BYTES: usize = 64 << 10;
/// While a transaction waits for its turn, records that come wait so long at most until they are taken.
const RECORDS_WAIT: Duration = Duration::from_millis(1);

/// One projector. Moved by [`Project::step`]; if that fails it is of no use any more: make a new one.
pub struct Project {
    backend: Arc<dyn Backend>,
    intake: Box<dyn Intake>,
    settings: Settings,
    partitions: u32,
    held: BTreeMap<Partition, Held>,
    keeping: Keeping,
    database: Database,
    outbox: Outbox,
    records: Records,
    submitted: u64,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Something happened; there may be more.
    Worked,
    /// Nothing is waiting.
    Idle,
}

impl Project {
    /// Joins the projectors of this log, as `member`.
    ///
    /// # Errors
    /// If there is no log, or it cannot be joined.
    pub fn open(
        backend: Arc<dyn Backend>,
        member: &str,
        layout: &Layout,
        settings: Settings,
    ) -> Result<Self, WorkError> {
        let topics = backend.topics();
        let missing = || LogError::NoTopic(topics.commands.to_string());
        let partitions = backend.partitions(&topics.commands)?.ok_or_else(missing)?;
        for topic in [&topics.outcomes, &topics.dead_letters] {
            backend.partitions(topic)?.ok_or_else(|| LogError::NoTopic(topic.to_string()))?;
        }
        Ok(Self {
            outbox: Outbox::open(&backend, partitions, &settings)?,
            intake: backend.intake(member)?,
            database: open(&layout.project_store(), "project", &backend, settings.lasting())?,
            backend,
            settings,
            partitions,
            held: BTreeMap::new(),
            keeping: Keeping::default(),
            records: Records::default(),
            submitted: 0,
        })
    }

    /// Takes what is there, or waits up to `wait` for it; publishes; keeps.
    ///
    /// # Errors
    /// See [`WorkError::is_passing`].
    pub fn step(&mut self, now: Instant, wait: Duration) -> Result<Progress, WorkError> {
        self.try_step(now, wait).inspect_err(|error| {
            if let WorkError::Damaged(_) | WorkError::Store(StoreError::Damaged { .. }) = error {
                self.database.distrust(error.to_string());
            }
        })
    }

    fn try_step(&mut self, now: Instant, wait: Duration) -> Result<Progress, WorkError> {
        let others = self.held.values().any(|held| !matches!(held.phase, Phase::Running));
        let busy = others || self.keeping.unwritten().is_some();
        let records_wait = if self.outbox.is_empty() && !busy { wait } else { Duration::ZERO };
        let mut records = std::mem::take(&mut self.records);
        let event = self.intake.next(&mut records, records_wait)?;
        let worked = self.handle(&event, &records, now);
        let store_bytes = STORE_BYTES + 2 * records.bytes();
        self.records = records;
        worked?;
        let moved = self.move_others_on(now)?;
        let idle = event == Event::Idle && !moved;
        self.submit_if_due(idle, now, wait)?;
        self.write_kept(store_bytes)?;
        self.keep_if_due(now)?;
        self.tidy(store_bytes)?;
        let idle = idle && self.outbox.is_empty() && self.keeping.unwritten().is_none();
        Ok(if idle { Progress::Idle } else { Progress::Worked })
    }

    fn handle(&mut self, event: &Event, records: &Records, now: Instant) -> Result<(), WorkError> {
        match event {
            Event::Idle => Ok(()),
            Event::Records => self.take_all(records, now),
            Event::Gained(gained) => gained.iter().try_for_each(|gained| self.gain(gained, now)),
            Event::Losing(partitions) => self.give_up(partitions, now),
            Event::Lost(partitions) => {
                Err(LogError::Transaction(format!("partitions {partitions:?} were taken away")).into())
            }
        }
    }

    /// Opens the state of a partition, and decides where to begin.
    fn gain(&mut self, gained: &Gained, now: Instant) -> Result<(), WorkError> {
        let partition = gained.bounds.partition;
        let state = PartitionState::open(&self.database, partition)?;
        let committed = gained.committed.as_ref();
        let stored = state.stored();
        let start = decide(stored, committed.map(|c| c.next_offset), gained.bounds, gained.views_empty)?;
        tracing::info!(partition, ?stored, ?committed, from = start.from, until = start.until, "gained a partition");
        let phase = if start.from < start.until {
            let topic = Arc::clone(&self.backend.topics().commands);
            let reader = self.backend.reader(&topic, &[(partition, start.from)])?;
            Phase::CatchingUp { reader, until: start.until }
        } else {
            self.intake.start(partition, start.until)?;
            Phase::Running
        };
        let skip = committed.map_or(0, |c| rows_out(&c.metadata));
        self.held.insert(partition, Held { state, phase, skip, checkpointed: now });
        Ok(())
    }

    /// Finishes, commits and keeps what is done, and lets the partitions go.
    fn give_up(&mut self, partitions: &[Partition], now: Instant) -> Result<(), WorkError> {
        self.submit_rest(now)?;
        self.intake.settle()?;
        self.finish_keeping()?;
        for some in partitions.chunks(Database::CHECKPOINT_STORES) {
            self.begin_keeping(some, now)?;
            self.finish_keeping()?;
        }
        for partition in partitions {
            if self.held.remove(partition).is_some() {
                tracing::info!(partition, "gave up a partition");
            }
        }
        Ok(())
    }

    fn take_all(&mut self, records: &Records, now: Instant) -> Result<(), WorkError> {
        let mut records = records.iter();
        while records.len() > 0 {
            let state = |partition| self.held.get(&partition).map(|held| &held.state);
            let decoded = decode(&mut records, self.partitions, state);
            decoded.iter().try_for_each(|decoded| self.take(decoded, now))?;
        }
        Ok(())
    }

    /// Takes one record of a running partition.
    fn take(&mut self, decoded: &Decoded<'_>, now: Instant) -> Result<(), WorkError> {
        let record = decoded.record;
        let Some(held) = self.held.get_mut(&record.partition) else { return Ok(()) };
        if !matches!(held.phase, Phase::Running) || record.offset < held.state.position.next_offset {
            return Ok(());
        }
        if self.outbox.is_full(&self.settings, now) {
            self.submit(now)?;
        } else if let Some(part) = self.outbox.part(&self.settings) {
            self.intake.write(part)?;
        }
        self.take_in_turn(decoded, now)
    }

    fn take_in_turn(&mut self, decoded: &Decoded<'_>, now: Instant) -> Result<(), WorkError> {
        let record = decoded.record;
        let Some(held) = self.held.get_mut(&record.partition) else { return Ok(()) };
        let (partition, offset) = (record.partition, record.offset);
        let done = StatePosition { next_offset: offset + 1, at_ms: record.at_ms };
        match fold(&mut held.state, decoded)? {
            Err(invalid) => {
                self.outbox.counts.invalid += 1;
                self.outbox.dead_letter(record, "INVALID", &invalid.to_string());
                held.state.position = done;
                let verdict = Verdict::Invalid(invalid.to_string());
                self.outbox.done(offset, done, Some(verdict), partition, now);
            }
            Ok(Folded { command, applied: Applied { outcome, rows, retelling } }) => {
                if let Outcome::Rejected { reason, dead_letter: true } = outcome {
                    self.outbox.dead_letter(record, &reason.to_string(), "no service of this number can be told");
                }
                let mut telling = Telling::new(record, std::mem::take(&mut held.skip));
                let number = held.state.numbers.read(command.number.as_bytes())?;
                self.outbox.rows(number, &rows, &mut telling, now)?;
                if let Some(retelling) = retelling {
                    let pending = Box::new(Pending { name: command.number.clone(), retelling, telling });
                    return self.retell(partition, pending, false, now);
                }
                let verdict = self.outbox.verdict(outcome);
                held.state.position = done;
                self.outbox.done(offset, done, verdict, partition, now);
            }
        }
        Ok(())
    }

    /// Tells a bounded part of a long effect. If that is not all of it, the partition waits until the next step.
    fn retell(
        &mut self,
        partition: Partition,
        mut pending: Box<Pending>,
        waits: bool,
        now: Instant,
    ) -> Result<(), WorkError> {
        let Some(held) = self.held.get_mut(&partition) else { return Ok(()) };
        let Pending { name, retelling, telling } = &mut *pending;
        for _ in 0..CHUNKS_AT_ONCE {
            let outbox = &mut self.outbox;
            let mut told = Ok(());
            retell(&mut held.state, name, retelling, &mut |number, rows| {
                told = outbox.rows(number, rows, telling, now);
            })?;
            told?;
            if retelling.is_empty() {
                let Telling { offset, at_ms, .. } = *telling;
                held.state.position = StatePosition { next_offset: offset + 1, at_ms };
                self.outbox.done(offset, held.state.position, None, partition, now);
                held.phase = Phase::Running;
                return if waits { Ok(self.intake.start(partition, offset + 1)?) } else { Ok(()) };
            }
            if self.outbox.is_full(&self.settings, now) {
                break;
            }
        }
        self.outbox.half_told(telling, held.state.position.at_ms, now);
        held.phase = Phase::Retelling(pending);
        if waits { Ok(()) } else { Ok(self.intake.pause(partition)?) }
    }

    /// A bounded piece of work for every partition that is not simply running. Those that catch up do so one after the
    /// other, as far as they can be read: together they would want more in memory at once.
    fn move_others_on(&mut self, now: Instant) -> Result<bool, WorkError> {
        let others: Vec<_> =
            self.held.iter().filter(|(_, held)| !matches!(held.phase, Phase::Running)).map(|(p, _)| *p).collect();
        let mut caught_up = false;
        for partition in &others {
            let Some(held) = self.held.get_mut(partition) else { continue };
            match std::mem::replace(&mut held.phase, Phase::Running) {
                Phase::Running => {}
                Phase::Retelling(pending) => self.tell_on(*partition, pending, now)?,
                waiting @ Phase::CatchingUp { .. } if caught_up => held.phase = waiting,
                Phase::CatchingUp { reader, until } => caught_up = self.catch_up(*partition, reader, until)?,
            }
        }
        Ok(!others.is_empty())
    }

    fn tell_on(&mut self, partition: Partition, pending: Box<Pending>, now: Instant) -> Result<(), WorkError> {
        if self.outbox.is_full(&self.settings, now) {
            self.submit(now)?;
        }
        self.retell(partition, pending, true, now)
    }

    /// Folds a batch of what is committed already; publishes nothing. Says whether there was any.
    fn catch_up(
        &mut self,
        partition: Partition,
        mut reader: Box<dyn partyline_log::Reader>,
        until: Offset,
    ) -> Result<bool, WorkError> {
        let Some(held) = self.held.get_mut(&partition) else { return Ok(false) };
        reader.next(&mut self.records, Duration::from_millis(10))?;
        let mut records = self.records.iter().take_while(|record| record.offset < until).peekable();
        while records.peek().is_some() {
            let decoded = decode(&mut records, self.partitions, |_| Some(&held.state));
            decoded.iter().try_for_each(|decoded| fold_quietly(&mut held.state, decoded))?;
        }
        held.state.seal(self.submitted);
        if reader.position(partition) < until {
            held.phase = Phase::CatchingUp { reader, until };
            return Ok(!self.records.is_empty());
        }
        held.state.position.next_offset = held.state.position.next_offset.max(until);
        held.phase = Phase::Running;
        self.intake.start(partition, until)?;
        tracing::info!(partition, until, "caught up with what is committed");
        Ok(true)
    }

    /// Commits when a bound is reached, or as soon as nothing more is waiting and the commit would begin at once. Where it
    /// would not, waits for that; what comes meanwhile is taken before.
    fn submit_if_due(&mut self, idle: bool, now: Instant, wait: Duration) -> Result<(), WorkError> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let begins = idle && self.intake.is_ready_within(Duration::ZERO)?;
        if begins || self.outbox.is_full(&self.settings, now) {
            return self.submit(now);
        }
        if idle {
            self.intake.is_ready_within(wait.min(RECORDS_WAIT))?;
        }
        Ok(())
    }

    fn submit(&mut self, now: Instant) -> Result<(), WorkError> {
        self.submitted += 1;
        self.intake.submit(self.outbox.finish(now))?;
        let committed = self.intake.committed()?;
        for held in self.held.values_mut() {
            held.state.seal(self.submitted);
            held.state.write_back(committed)?;
        }
        Ok(())
    }

    fn submit_rest(&mut self, now: Instant) -> Result<(), WorkError> {
        if self.outbox.is_empty() { Ok(()) } else { self.submit(now) }
    }

    /// Finishes what is done, commits, keeps, and leaves the group.
    ///
    /// # Errors
    /// If something of that fails; nothing committed is lost by it.
    pub fn close(mut self, now: Instant) -> Result<Counts, WorkError> {
        let partitions: Vec<_> = self.held.keys().copied().collect();
        self.give_up(&partitions, now)?;
        self.intake.close()?;
        self.database.close()?;
        Ok(self.outbox.counts)
    }

    /// The position of every partition that it holds: all below is done (but perhaps not yet committed).
    pub fn positions(&self) -> impl Iterator<Item = (Partition, Offset)> + '_ {
        self.held.iter().map(|(partition, held)| {
            let read = if matches!(held.phase, Phase::Running) { self.intake.position(*partition) } else { 0 };
            (*partition, held.state.position.next_offset.max(read))
        })
    }

    /// Whether it knows which partitions are its own, if any.
    pub fn has_joined(&self) -> bool {
        self.intake.has_joined()
    }

    /// What it has done.
    pub fn counts(&self) -> Counts {
        self.outbox.counts
    }
}
