//! Replay: one service's view, built from the log by the same function, into scratch stores.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use partyline_ledger::{Addressed, Number, Service};
use partyline_log::{Backend, Bounds, LogError, Offset, Partition, Reader, Record, Records};
use partyline_store::Database;
use partyline_wire::{Cause, PositionRow, encode_row, row_key};

use crate::{
    Answer, Query, Settings, StartError, ViewSummary, WorkError,
    fold::{Folded, fold, retell},
    outbox::Telling,
    query,
    state::{PartitionState, checkpoint, open, trim},
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

/// A replay. Moved by [`Replay::step`] until [`Replay::is_done`].
pub struct Replay {
    service: Service,
    partitions: u32,
    spans: BTreeMap<Partition, Offset>,
    states: BTreeMap<Partition, PartitionState>,
    scratch: Database,
    rows: RowStore,
    reader: Box<dyn Reader>,
    records: Records,
    settings: Settings,
    commands: u64,
    row: (Vec<u8>, Vec<u8>),
}

impl Replay {
    /// Prepares a replay of a service's view up to the end of the log, or up to these offsets where they are given.
    /// The view is built in `view_dir`; what the rules remember is in `scratch_dir`, of no use afterwards.
    ///
    /// # Errors
    /// If the log does not begin at 0, ends before an offset that is asked for, or a store cannot be made.
    pub fn open(
        backend: &Arc<dyn Backend>,
        service: Service,
        until: &[ReplaySpan],
        (scratch_dir, view_dir): (&Path, &Path),
        settings: Settings,
    ) -> Result<Self, WorkError> {
        let topic = Arc::clone(&backend.topics().commands);
        let bounds = backend.bounds(&topic)?;
        let partitions = u32::try_from(bounds.len()).unwrap_or(u32::MAX);
        let spans = spans(&bounds, until)?;
        let mut states = BTreeMap::new();
        let scratch = open(scratch_dir, "replay", backend, &settings)?;
        for partition in spans.keys() {
            states.insert(*partition, PartitionState::open(&scratch, *partition)?);
        }
        let rows = RowStore::open(view_dir, &identity(&format!("replay:{service}"), backend.id()?, &topic), &settings)?;
        let from: Vec<_> = spans.keys().map(|partition| (*partition, 0)).collect();
        let reader = backend.reader(&topic, &from)?;
        Ok(Self {
            service,
            partitions,
            spans,
            states,
            scratch,
            rows,
            reader,
            records: Records::default(),
            settings,
            commands: 0,
            row: Default::default(),
        })
    }

    /// Folds what is there, or waits up to `wait` for it.
    ///
    /// # Errors
    /// If the log or a store fails.
    pub fn step(&mut self, wait: Duration) -> Result<(), WorkError> {
        let mut records = std::mem::take(&mut self.records);
        self.reader.next(&mut records, wait)?;
        for record in records.iter() {
            if self.spans.get(&record.partition).is_some_and(|until| record.offset < *until) {
                self.take(record)?;
            }
        }
        self.records = records;
        self.bound(TIDY_BYTES + 2 * self.records.bytes())
    }

    /// Keeps the stores within their memory, and small.
    fn bound(&mut self, tidy_bytes: usize) -> Result<(), WorkError> {
        let mut states: Vec<_> = self.states.values_mut().collect();
        for state in &mut states {
            // Nothing is committed here that could fail: whatever was folded may be written.
            state.seal(0);
            state.write_back(0)?;
        }
        if states.iter().map(|state| state.dirty_bytes()).sum::<usize>() >= self.settings.dirty_bytes {
            checkpoint(&self.scratch, &mut states)?;
        }
        trim(&mut states, self.settings.cache_bytes);
        let share = tidy_bytes / states.len().max(1);
        states.iter_mut().try_for_each(|state| state.tidy(share))?;
        if self.rows.rows.pending_bytes() >= self.settings.dirty_bytes {
            self.rows.checkpoint()?;
        }
        self.rows.rows.tidy(tidy_bytes)?;
        Ok(())
    }

    fn take(&mut self, record: Record<'_>) -> Result<(), WorkError> {
        self.commands += 1;
        let Some(state) = self.states.get_mut(&record.partition) else { return Ok(()) };
        let (service, rows, row) = (&self.service, &mut self.rows, &mut self.row);
        if let Folded::Applied { command, rows: told, retelling, .. } = fold(state, record, self.partitions)? {
            let mut telling = Telling::new(record.partition, record.offset, 0);
            let number = state.numbers.read(command.number.as_str().as_bytes())?;
            put(number, service, &told, &mut telling, rows, row)?;
            let mut retelling = retelling.unwrap_or_default();
            match number.find(service) {
                Some((ix, _)) => retelling.keep_for(ix),
                None => retelling.keep_changes(),
            }
            while !retelling.is_empty() {
                let mut kept = Ok(());
                retell(state, &command.number, &mut retelling, &mut |number, told| {
                    kept = put(number, service, told, &mut telling, rows, row);
                })?;
                kept?;
            }
        }
        let next_offset = record.offset + 1;
        state.position.next_offset = next_offset;
        let reflects = PositionRow { partition: record.partition, next_offset, at_ms: record.at_ms };
        rows.position.reflects.insert(record.partition, reflects);
        Ok(())
    }

    /// Whether every partition was replayed to where it was asked for.
    pub fn is_done(&self) -> bool {
        self.spans.iter().all(|(partition, until)| self.reader.position(*partition) >= *until)
    }

    /// Commands folded so far, of how many offsets.
    pub fn progress(&self) -> (u64, u64) {
        (self.commands, self.spans.values().sum())
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

/// Puts the service's rows among those of a command into its view.
fn put(
    number: &Number,
    service: &Service,
    told: &[Addressed],
    telling: &mut Telling,
    rows: &mut RowStore,
    (key, value): &mut (Vec<u8>, Vec<u8>),
) -> Result<(), WorkError> {
    let Some((ix, _)) = number.find(service) else { return Ok(()) };
    for Addressed { row, .. } in told.iter().filter(|addressed| addressed.to.contains(ix)) {
        let (partition, offset) = (telling.partition, telling.offset);
        let cause = Cause { partition, offset, index: telling.indexes.next(ix) };
        key.clear();
        value.clear();
        row_key(key, row);
        encode_row(value, row, cause);
        rows.rows.put(key, value)?;
    }
    Ok(())
}

/// How far each partition is to be replayed.
fn spans(bounds: &[Bounds], until: &[ReplaySpan]) -> Result<BTreeMap<Partition, Offset>, WorkError> {
    let mut spans = BTreeMap::new();
    for Bounds { partition, begin, end } in bounds.iter().copied() {
        if begin > 0 {
            return Err(StartError::LogTrimmed { partition, begin, needed: 0 }.into());
        }
        let asked = until.iter().find(|span| span.partition == partition).map(|span| span.until);
        if let Some(asked) = asked.filter(|asked| *asked > end) {
            let problem = format!("partition {partition} of the log ends at {end}, before {asked}");
            return Err(LogError::OutOfRange(problem).into());
        }
        spans.insert(partition, asked.unwrap_or(end));
    }
    match until.iter().find(|span| !spans.contains_key(&span.partition)) {
        Some(span) => Err(LogError::OutOfRange(format!("the log has no partition {}", span.partition)).into()),
        None => Ok(spans),
    }
}
