//! The checkpoint that a worker has under way: one at a time, written while the worker goes on.

use partyline_store::{Checkpoint, StoreError};

/// A checkpoint, and the transaction with which everything that it keeps is committed.
#[derive(Default)]
pub(crate) struct Keeping(Option<(Checkpoint, u64)>);

impl Keeping {
    /// To be called after [`Keeping::finish`].
    pub fn begin(&mut self, begun: Checkpoint, ticket: u64) {
        self.0 = Some((begun, ticket));
    }

    /// Begins one of what is committed already, once the one before counts.
    pub fn begin_committed<E: From<StoreError>>(
        &mut self,
        begin: impl FnOnce() -> Result<Checkpoint, E>,
    ) -> Result<(), E> {
        self.finish()?;
        self.begin(begin()?, 0);
        Ok(self.go_on(0)?)
    }

    /// The one whose stores are still to be asked for a part of what it keeps.
    pub fn unwritten(&mut self) -> Option<&mut Checkpoint> {
        self.0.as_mut().map(|(checkpoint, _)| checkpoint).filter(|checkpoint| !checkpoint.is_written())
    }

    /// Lets it count once what it keeps is committed, and takes note of its end.
    pub fn go_on(&mut self, committed: u64) -> Result<(), StoreError> {
        match &mut self.0 {
            // Also one that has failed.
            Some((checkpoint, _)) if checkpoint.is_done() => self.finish(),
            Some((checkpoint, ticket)) if *ticket <= committed => {
                checkpoint.allow();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether there is one that has not ended, as far as [`Keeping::go_on`] knows.
    pub fn is_under_way(&self) -> bool {
        self.0.is_some()
    }

    /// Waits until it counts. What it keeps must be written and committed.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        self.0.take().map_or(Ok(()), |(checkpoint, _)| checkpoint.finish())
    }
}
