//! Reading several runs as one: of records with the same key, the one of the newest run, or all that add to each other.

use std::sync::Arc;

use super::{
    block::Record,
    run::{Cursor, Run},
};
use crate::{blob::Blobs, error::StoreError};

/// Runs, newest first, and a place in each.
pub(super) struct Merged {
    inputs: Vec<(Arc<Run>, Cursor)>,
    /// The input that has the next record; `None` at the end.
    least: Option<usize>,
    /// The next record's value, and whether it adds to what other runs have, where several inputs make it up.
    joined: Option<(Vec<u8>, bool)>,
}

impl Merged {
    /// From the first record on that is not before `from`.
    pub(super) fn new(runs: &[Arc<Run>], from: &[u8], blobs: Blobs<'_>) -> Result<Self, StoreError> {
        let mut inputs = Vec::with_capacity(runs.len());
        for run in runs {
            let mut cursor = run.seek(from);
            while cursor.record(run, blobs)?.is_some_and(|record| record.key < from) {
                cursor.step();
            }
            inputs.push((Arc::clone(run), cursor));
        }
        let mut merged = Self { inputs, least: None, joined: None };
        merged.settle(blobs)?;
        Ok(merged)
    }

    /// The next record; `None` at the end. [`Merged::step`] goes on.
    pub(super) fn record(&self) -> Option<Record<'_>> {
        let record = self.inputs.get(self.least?).and_then(|(_, cursor)| cursor.current())?;
        Some(match &self.joined {
            Some((value, adds)) => Record { value, adds: *adds, ..record },
            None => record,
        })
    }

    /// Whether the next record's value is made of several that stand behind each other.
    pub(super) fn has_joined(&self) -> bool {
        self.joined.is_some()
    }

    /// Passes the record, in every run that has its key.
    pub(super) fn step(&mut self, blobs: Blobs<'_>) -> Result<(), StoreError> {
        let Some(least) = self.least else { return Ok(()) };
        // None of the newer ones has the key: it would have been theirs.
        let (_, rest) = self.inputs.split_at_mut(least);
        let Some(((_, first), others)) = rest.split_first_mut() else { return Ok(()) };
        if let Some(record) = first.current() {
            for (_, other) in others {
                if other.current().is_some_and(|theirs| theirs.key == record.key) {
                    other.step();
                }
            }
        }
        first.step();
        self.settle(blobs)
    }

    /// The first input, and so the newest, of those whose key is least.
    fn find_least(&self) -> Option<usize> {
        let keys = self.inputs.iter().map(|(_, cursor)| cursor.current().map(|record| record.key));
        let mut least: Option<(usize, &[u8])> = None;
        for (at, key) in keys.enumerate() {
            if let Some(key) = key
                && least.is_none_or(|(_, other)| key < other)
            {
                least = Some((at, key));
            }
        }
        least.map(|(at, _)| at)
    }

    /// The next record's value, if its newest part adds to another here: down to the newest that does not.
    fn join(&self) -> Option<(Vec<u8>, bool)> {
        let inputs = self.inputs.get(self.least?..)?;
        let mut records = inputs.iter().filter_map(|(_, cursor)| cursor.current());
        let newest = records.next().filter(|newest| newest.adds)?;
        let (mut values, mut adds) = (vec![newest.value], true);
        for older in records.filter(|older| older.key == newest.key) {
            values.push(older.value);
            adds = older.adds;
            if !adds {
                break;
            }
        }
        values.reverse();
        (values.len() > 1).then(|| (values.concat(), adds))
    }

    /// Loads the blocks that were come to, lets go of inputs that are at their end, and finds the next record.
    fn settle(&mut self, blobs: Blobs<'_>) -> Result<(), StoreError> {
        let mut failed = None;
        self.inputs.retain_mut(|(run, cursor)| match cursor.record(run, blobs) {
            Ok(record) => record.is_some(),
            Err(error) => {
                failed = Some(error);
                true
            }
        });
        self.least = self.find_least();
        self.joined = self.join();
        failed.map_or(Ok(()), Err)
    }
}
