//! What a projector does for its stores: checkpoints, and bounds.

use std::time::Instant;

use partyline_log::Partition;

use super::Project;
use crate::{
    WorkError,
    held::{due, to_keep},
    state::{begin_checkpoint, tidy, trim, write_checkpoint},
};

impl Project {
    /// Begins the checkpoints that are due, of what is committed soon, and takes note of those that end.
    pub(super) fn keep_if_due(&mut self, now: Instant) -> Result<(), WorkError> {
        self.keeping.go_on(self.intake.committed()?)?;
        let due = due(&self.held, &self.settings, self.keeping.is_under_way(), now);
        if due.is_empty() {
            return Ok(());
        }
        self.submit_rest(now)?;
        if self.keeping.is_under_way() {
            self.intake.settle()?;
            self.finish_keeping()?;
        }
        self.begin_keeping(&due, now)
    }

    /// Begins the checkpoints of these partitions, of which everything that was done is submitted.
    pub(super) fn begin_keeping(&mut self, partitions: &[Partition], now: Instant) -> Result<(), WorkError> {
        let mut states = to_keep(&mut self.held, partitions, now);
        if states.is_empty() {
            return Ok(());
        }
        self.database.sync_ahead()?;
        self.keeping.begin(begin_checkpoint(&self.database, &mut states)?, self.submitted);
        Ok(())
    }

    /// Encodes about `max_bytes` of what the checkpoint under way keeps.
    pub(super) fn write_kept(&mut self, max_bytes: usize) -> Result<(), WorkError> {
        let Some(checkpoint) = self.keeping.unwritten() else { return Ok(()) };
        let mut states: Vec<_> = self.held.values_mut().map(|held| &mut held.state).collect();
        Ok(write_checkpoint(checkpoint, &mut states, max_bytes)?)
    }

    /// Waits until the checkpoint under way counts. What it keeps must be committed.
    pub(super) fn finish_keeping(&mut self) -> Result<(), WorkError> {
        self.write_kept(usize::MAX)?;
        Ok(self.keeping.finish()?)
    }

    /// Bounds the stores' memory, and does some of the work that keeps them small.
    pub(super) fn tidy(&mut self, max_bytes: usize) -> Result<(), WorkError> {
        let mut states: Vec<_> = self.held.values_mut().map(|held| &mut held.state).collect();
        trim(&mut states, self.settings.cache_bytes);
        tidy(&mut states, max_bytes)
    }
}
