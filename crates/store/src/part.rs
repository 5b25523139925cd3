//! What can take part in a checkpoint.

use std::sync::Arc;

use crate::{error::StoreError, shared::Shared};

/// A [`Table`](crate::Table) or a [`Journal`](crate::Journal), as [`Store::checkpoint`](crate::Store::checkpoint)
/// takes them.
pub trait Part: Steps {}

/// What a checkpoint asks of them. Callers cannot name it, so nothing else can be a part.
pub trait Steps {
    /// The name it is open under.
    fn name(&self) -> &str;
    /// Whether it is one of this store's.
    fn belongs_to(&self, store: &Arc<Shared>) -> bool;
    /// Writes everything dirty, so that it counts once `attempt` is committed.
    fn write_dirty(&mut self, attempt: u64) -> Result<(), StoreError>;
    /// The attempt is committed: nothing is dirty any more.
    fn committed(&mut self) -> Result<(), StoreError>;
}
