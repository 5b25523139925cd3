//! Reading several runs as one: of records with the same key, the one of the newest run.

use std::sync::Arc;

use super::run::{Cursor, Run};
use crate::{blob::Blobs, error::StoreError};

/// Runs, newest first, and a place in each.
pub(super) struct Merged {
    inputs: Vec<(Arc<Run>, Cursor)>,
    /// The input that has the next record; `None` at the end.
    least: Option<usize>,
}

impl Merged {
    /// From the first record on that is not before `from`.
    pub(super) fn new(runs: &[Arc<Run>], from: &[u8], blobs: Blobs<'_>) -> Result<Self, StoreError> {
        let mut inputs = Vec::with_capacity(runs.len());
        for run in runs {
            let mut cursor = run.seek(from);
            while cursor.record(run, blobs)?.is_some_and(|(key, _)| key < from) {
                cursor.step();
            }
            inputs.push((Arc::clone(run), cursor));
        }
        let mut merged = Self { inputs, least: None };
        merged.settle(blobs)?;
        Ok(merged)
    }

    /// The next record; `None` at the end. [`Merged::step`] goes on.
    pub(super) fn record(&self) -> Option<(&[u8], &[u8])> {
        self.inputs.get(self.least?).and_then(|(_, cursor)| cursor.current())
    }

    /// Passes the record, in every run that has its key.
    pub(super) fn step(&mut self, blobs: Blobs<'_>) -> Result<(), StoreError> {
        let Some(least) = self.least else { return Ok(()) };
        // None of the newer ones has the key: it would have been theirs.
        let (_, rest) = self.inputs.split_at_mut(least);
        let Some(((_, first), others)) = rest.split_first_mut() else { return Ok(()) };
        if let Some((key, _)) = first.current() {
            for (_, other) in others {
                if other.current().is_some_and(|(theirs, _)| theirs == key) {
                    other.step();
                }
            }
        }
        first.step();
        self.settle(blobs)
    }

    /// The first input, and so the newest, of those whose key is least.
    fn find_least(&self) -> Option<usize> {
        let keys = self.inputs.iter().map(|(_, cursor)| cursor.current().map(|(key, _)| key));
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
        failed.map_or(Ok(()), Err)
    }
}
