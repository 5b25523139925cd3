//! Waiting for what the projector says became of our commands.
//!
//! An outcome may come before our own receipt, so what it says of offsets that we do not know yet is kept as long as
//! records of ours are without a receipt.

use std::{collections::BTreeMap, mem, time::Duration};

use partyline_log::{Backend, LogError, Offset, Partition, Reader, Records};
use partyline_wire::{Outcomes, Verdict};

/// Exceptions that are kept for records without a receipt; beyond that receipts are waited for first.
const EXCEPTIONS_MAX: usize = 100_000;

/// A command that is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub line: u64,
    pub id: Box<str>,
    pub partition: Partition,
    pub offset: Offset,
}

/// A command and what became of it; no verdict means that it was accepted.
pub(super) type Answered = (Placed, Option<Verdict>);

/// Commands without an answer, and the end of the outcomes topic.
pub(super) struct Waiting {
    reader: Box<dyn Reader>,
    records: Records,
    lanes: BTreeMap<Partition, Lane>,
    unanswered: usize,
    answered: Vec<Answered>,
}

/// One partition.
#[derive(Default)]
struct Lane {
    unanswered: BTreeMap<Offset, Placed>,
    /// Everything below is applied.
    applied: Offset,
    /// What became of applied offsets that are not known to be ours, yet.
    exceptions: BTreeMap<Offset, Verdict>,
}

impl Waiting {
    /// Begins at the end of the outcomes topic: before anything is published.
    pub fn open(backend: &dyn Backend) -> Result<Self, LogError> {
        let topic = &backend.topics().outcomes;
        let ends: Vec<_> = backend.bounds(topic)?.iter().map(|bounds| (bounds.partition, bounds.end)).collect();
        Ok(Self::on(backend.reader(topic, &ends)?))
    }

    pub fn on(reader: Box<dyn Reader>) -> Self {
        let (records, lanes, answered) = (Records::default(), BTreeMap::new(), Vec::new());
        Self { reader, records, lanes, unanswered: 0, answered }
    }

    /// A command got its place in the log.
    pub fn placed(&mut self, placed: Placed) {
        let lane = self.lanes.entry(placed.partition).or_default();
        if placed.offset < lane.applied {
            // Receipts of a partition come in order: nothing below will be asked for.
            lane.exceptions = lane.exceptions.split_off(&placed.offset);
            let verdict = lane.exceptions.remove(&placed.offset);
            self.answered.push((placed, verdict));
        } else {
            lane.unanswered.insert(placed.offset, placed);
            self.unanswered += 1;
        }
    }

    /// Reads outcomes, waiting up to `wait` for some. `all_placed`: no record of ours is without a receipt.
    pub fn read(&mut self, wait: Duration, all_placed: bool) -> Result<(), LogError> {
        if all_placed {
            self.lanes.values_mut().for_each(|lane| lane.exceptions.clear());
        } else if self.lanes.values().map(|lane| lane.exceptions.len()).sum::<usize>() >= EXCEPTIONS_MAX {
            return Ok(());
        }
        self.reader.next(&mut self.records, wait)?;
        for outcomes in self.records.iter().filter_map(|record| Outcomes::decode(record.value?)) {
            let lane = self.lanes.entry(outcomes.partition).or_default();
            let next = outcomes.last_offset + 1;
            lane.applied = lane.applied.max(next);
            lane.exceptions.extend(outcomes.exceptions.into_iter().map(|e| (e.offset, e.verdict)));
            let later = lane.unanswered.split_off(&next);
            for (offset, placed) in mem::replace(&mut lane.unanswered, later) {
                self.unanswered -= 1;
                self.answered.push((placed, lane.exceptions.remove(&offset)));
            }
            if all_placed {
                lane.exceptions.clear();
            }
        }
        Ok(())
    }

    /// What was answered since it was last asked.
    pub fn answered(&mut self) -> Vec<Answered> {
        mem::take(&mut self.answered)
    }

    /// How many are without an answer.
    pub fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Gives up on those without an answer.
    pub fn give_up(&mut self) -> impl Iterator<Item = Placed> {
        self.unanswered = 0;
        mem::take(&mut self.lanes).into_values().flat_map(|lane| lane.unanswered.into_values())
    }
}
