//! What can take part in a checkpoint.

use std::sync::Arc;

use crate::{error::StoreError, shared::Shared};

/// A [`Table`](crate::Table), [`Rows`](crate::Rows) or a [`Journal`](crate::Journal), as
/// [`Store::checkpoint`](crate::Store::checkpoint) takes them.
pub trait Part: Steps {}

/// What a checkpoint asks of them. Callers cannot name it, so nothing else can be a part.
pub trait Steps {
    /// The name it is open under.
    fn name(&self) -> &str;
    /// Whether it is one of this store's.
    fn belongs_to(&self, store: &Arc<Shared>) -> bool;
    /// Writes everything dirty, so that it counts once the checkpoint with this manifest is there. A part that finds
    /// everything again by itself has none.
    fn write_dirty(&mut self) -> Result<Option<Vec<u8>>, StoreError>;
    /// The checkpoint is there: nothing is dirty any more.
    fn committed(&mut self);
}
