//! Replay: one service's view, built from the log by the same function, into scratch stores.
//!
//! Partitions depend on nothing outside of them, so a [`Replay`] folds some of them, and several may run side by side;
//! what they say comes together in one [`ReplayedView`].

use std::{collections::BTreeMap, mem, path::Path, sync::Arc, time::Duration};

use partyline_ledger::{Addressed, Applied, Number, Service};
use partyline_log::{Backend, Bounds, LogError, Offset, Partition, Reader, Records};
use partyline_store::{Database, Segment};
use partyline_wire::{Cause, PositionRow, encode_row, row_key};

use crate::{
    Answer, Query, Settings, StartError, ViewSummary, WorkError,
    fold::{Decoded, Folded, decode, fold, retell},
    keeping::Keeping,
    outbox::Telling,
    query,
    state::{PartitionState, StatePosition, begin_checkpoint, open, tidy, trim, write_checkpoint},
    view::{RowStore, identity},
};

/// Each step tidies the stores by so many bytes, and twice as many as it read.
const TIDY_BYTES: usize = 64 << 10;

/// The part of the log to replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplaySpan {
    /// Which partition, from 0 ...
    pub partition: Partition,
    /// ... up to here.
    pub until: Offset,
}

/// A replay of some partitions. Moved by [`Replay::step`] until [`Replay::is_done`].
pub struct Replay {
    service: Service,
    partitions: u32,
    spans: BTreeMap<Partition, Offset>,
    states: BTreeMap<Partition, PartitionState>,
    keeping: Keeping,
    scratch: Database,
    reader: Box<dyn Reader>,
    records: Records,
    rows: ReplayedRows,
    settings: Settings,
}

/// Rows on their way from a [`Replay`] to its [`ReplayedView`]: a bounded number of them.
#[derive(Debug, Default)]
pub struct ReplayedRows {
    rows: Segment,
    reflects: BTreeMap<Partition, PositionRow>,
}

/// The view that replayed rows make.
pub struct ReplayedView {
    rows: RowStore,
    settings: Settings,
}

/// Takes rows.
pub type TakeRows<'a> = dyn FnMut(ReplayedRows) -> Result<(), WorkError> + 'a;

impl Replay {
    /// Prepares a replay of these parts of the log, as [`replay_spans`] gives them. What the rules remember is in
    /// `scratch_dir`, of no use afterwards.
    ///
    /// # Errors
    /// If the log cannot be read, or the store cannot be made.
    pub fn open(
        backend: &Arc<dyn Backend>,
        service: Service,
        spans: &[ReplaySpan],
        scratch_dir: &Path,
        settings: Settings,
    ) -> Result<Self, WorkError> {
        let topic = Arc::clone(&backend.topics().commands);
        let partitions = backend.partitions(&topic)?.ok_or_else(|| LogError::NoTopic(topic.to_string()))?;
        // It fetches from now on, while the stores are made.
        let from: Vec<_> = spans.iter().map(|span| (span.partition, 0)).collect();
        let reader = backend.reader(&topic, &from)?;
        let mut states = BTreeMap::new();
        let scratch = open(scratch_dir, "replay", backend, settings.scratch())?;
        for ReplaySpan { partition, .. } in spans {
            states.insert(*partition, PartitionState::open(&scratch, *partition)?);
        }
        Ok(Self {
            service,
            partitions,
            spans: spans.iter().map(|span| (span.partition, span.until)).collect(),
            states,
            keeping: Keeping::default(),
            scratch,
            reader,
            records: Records::default(),
            rows: ReplayedRows::default(),
            settings,
        })
    }

    /// Folds what is there, or waits up to `wait` for it; hands on the service's rows once they are many, and in the end.
    ///
    /// # Errors
    /// If the log or a store fails, and what `take` returns.
    pub fn step(&mut self, wait: Duration, take: &mut TakeRows<'_>) -> Result<(), WorkError> {
        let mut records = mem::take(&mut self.records);
        self.reader.next(&mut records, wait)?;
        self.fold_all(&records, take)?;
        self.records = records;
        if self.is_done() {
            take(mem::take(&mut self.rows))?;
        }
        self.bound(TIDY_BYTES + 2 * self.records.bytes())
    }

    /// Keeps the scratch store within its memory, and small.
    fn bound(&mut self, tidy_bytes: usize) -> Result<(), WorkError> {
        let mut states: Vec<_> = self.states.values_mut().collect();
        for state in &mut states {
            // Nothing is committed here that could fail: whatever was folded may be written.
            state.seal(0);
            state.write_back(0)?;
        }
        if states.iter().map(|state| state.dirty_bytes()).sum::<usize>() >= self.settings.dirty_bytes {
            for some in states.chunks_mut(Database::CHECKPOINT_STORES) {
                self.keeping.begin_committed(|| {
                    let mut begun = begin_checkpoint(&self.scratch, some)?;
                    write_checkpoint(&mut begun, some, usize::MAX)?;
                    Ok::<_, WorkError>(begun)
                })?;
            }
        }
        trim(&mut states, self.settings.cache_bytes);
        tidy(&mut states, tidy_bytes)
    }

    fn fold_all(&mut self, records: &Records, take: &mut TakeRows<'_>) -> Result<(), WorkError> {
        let mut records = records.iter();
        while records.len() > 0 {
            let decoded = decode(&mut records, self.partitions, |partition| self.states.get(&partition));
            decoded.iter().try_for_each(|decoded| self.fold(decoded, take))?;
        }
        Ok(())
    }

    /// Folds a record, if it is asked for.
    fn fold(&mut self, decoded: &Decoded<'_>, take: &mut TakeRows<'_>) -> Result<(), WorkError> {
        let record = decoded.record;
        if self.spans.get(&record.partition).is_none_or(|until| record.offset >= *until) {
            return Ok(());
        }
        let Some(state) = self.states.get_mut(&record.partition) else { return Ok(()) };
        let (service, rows) = (&self.service, &mut self.rows);
        if let Ok(Folded { command, applied: Applied { rows: told, retelling, .. } }) = fold(state, decoded)? {
            let mut telling = Telling::new(record, 0);
            let number = state.numbers.read(command.number.as_bytes())?;
            rows.put(number, service, &told, &mut telling);
            let mut retelling = retelling.unwrap_or_default();
            match number.find(service) {
                Some((ix, _)) => retelling.keep_for(ix),
                None => retelling.keep_changes(),
            }
            while !retelling.is_empty() {
                retell(state, &command.number, &mut retelling, &mut |number, told| {
                    rows.put(number, service, told, &mut telling);
                })?;
                if rows.rows.is_full() {
                    take(mem::take(rows))?;
                }
            }
        }
        let next_offset = record.offset + 1;
        let at_ms = record.at_ms;
        state.position = StatePosition { next_offset, at_ms };
        let reflects = PositionRow { partition: record.partition, next_offset, at_ms };
        rows.reflects.insert(record.partition, reflects);
        if rows.rows.is_full() { take(mem::take(rows)) } else { Ok(()) }
    }

    /// Whether every partition was replayed to where it was asked for.
    pub fn is_done(&self) -> bool {
        self.left() == 0
    }

    /// Offsets that it has not come to yet.
    pub fn left(&self) -> u64 {
        self.spans.iter().map(|(partition, until)| until.saturating_sub(self.reader.position(*partition))).sum()
    }
}

impl ReplayedRows {
    /// Puts the service's rows among those of a command in.
    fn put(&mut self, number: &Number, service: &Service, told: &[Addressed], telling: &mut Telling) {
        let Some((ix, _)) = number.find(service) else { return };
        let (partition, offset) = (telling.partition, telling.offset);
        for Addressed { row, .. } in told.iter().filter(|addressed| addressed.to.contains(ix)) {
            let cause = Cause { partition, offset, index: telling.indexes.next(ix) };
            self.rows.put(|bytes| row_key(bytes, row), |bytes| encode_row(bytes, row, cause));
        }
    }
}

impl ReplayedView {
    /// An empty view of a service, in `dir`, where it is left in the end if it is to be `kept`.
    ///
    /// # Errors
    /// If the store cannot be made.
    pub fn open(
        backend: &Arc<dyn Backend>,
        service: &Service,
        dir: &Path,
        kept: bool,
        settings: Settings,
    ) -> Result<Self, WorkError> {
        let options = if kept { settings.lasting() } else { settings.scratch() };
        let topic = &backend.topics().commands;
        let identity = identity(&format!("replay:{service}"), backend.id()?, topic);
        Ok(Self { rows: RowStore::open(dir, &identity, options)?, settings })
    }

    /// Takes rows. Those of one partition must come in their order.
    ///
    /// # Errors
    /// Those of the store.
    pub fn take(&mut self, replayed: ReplayedRows) -> Result<(), WorkError> {
        let tidy_bytes = TIDY_BYTES + 3 * replayed.rows.bytes();
        self.rows.rows.put_all(replayed.rows)?;
        self.rows.position.reflects.extend(&replayed.reflects);
        if self.rows.rows.pending_bytes() >= self.settings.dirty_bytes {
            self.rows.checkpoint()?;
        }
        self.rows.rows.tidy(tidy_bytes)?;
        Ok(())
    }

    /// Writes the rows that wait in memory, which happens by itself once they are many.
    ///
    /// # Errors
    /// Those of the store.
    pub fn write(&mut self) -> Result<(), WorkError> {
        self.rows.checkpoint()
    }

    /// Keeps the view, and says what it amounts to.
    ///
    /// # Errors
    /// Those of the store.
    pub fn finish(mut self) -> Result<ViewSummary, WorkError> {
        self.rows.checkpoint()?;
        let answer = query::answer(&self.rows.rows, &self.rows.position, &Query::Summary)?;
        self.rows.close()?;
        match answer {
            Answer::Summary(summary) => Ok(summary),
            Answer::Rows(_) => Err(LogError::Refused("a summary was asked for".to_owned()).into()),
        }
    }
}

/// How far each partition is to be replayed: to its end, or up to these offsets where they are given.
///
/// # Errors
/// If the log does not begin at 0, or ends before an offset that is asked for.
pub fn replay_spans(backend: &Arc<dyn Backend>, until: &[ReplaySpan]) -> Result<Vec<ReplaySpan>, WorkError> {
    let bounds = backend.bounds(&backend.topics().commands)?;
    if let Some(span) = until.iter().find(|span| bounds.iter().all(|b| b.partition != span.partition)) {
        return Err(LogError::OutOfRange(format!("the log has no partition {}", span.partition)).into());
    }
    let span = |Bounds { partition, begin, end }: Bounds| {
        if begin > 0 {
            return Err(StartError::LogTrimmed { partition, begin, needed: 0 }.into());
        }
        let asked = until.iter().find(|span| span.partition == partition).map(|span| span.until);
        if let Some(asked) = asked.filter(|asked| *asked > end) {
            let problem = format!("partition {partition} of the log ends at {end}, before {asked}");
            return Err(LogError::OutOfRange(problem).into());
        }
        Ok(ReplaySpan { partition, until: asked.unwrap_or(end) })
    };
    bounds.into_iter().map(span).collect()
}
