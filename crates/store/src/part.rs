//! What can take part in a checkpoint.

use std::sync::Arc;

use crate::{checkpoint::Sink, error::StoreError, shared::Shared};

/// A [`Table`](crate::Table), [`Rows`](crate::Rows) or a [`Journal`](crate::Journal), as
/// [`Store::begin_checkpoint`](crate::Store::begin_checkpoint) takes them.
pub trait Part: Steps {}

/// What a checkpoint asks of them. Callers cannot name it, so nothing else can be a part.
pub trait Steps {
    /// The name it is open under.
    fn name(&self) -> &str;
    /// Whether it is one of this store's.
    fn belongs_to(&self, store: &Arc<Shared>) -> bool;
    /// Puts everything dirty on its way, after which nothing is dirty any more, and says in a manifest how it will be
    /// found: it counts once the checkpoint with this manifest does.
    fn write_dirty(&mut self, sink: &mut Sink) -> Result<Vec<u8>, StoreError>;
}
