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
    /// Begins to be kept: what is dirty now is what the checkpoint keeps, whatever is changed afterwards. Where all of it is
    /// on its way at once, says in a manifest how it will be found: it counts once the checkpoint with this manifest does.
    fn begin(&mut self, sink: &mut Sink) -> Result<Option<Vec<u8>>, StoreError>;
    /// Where it was not: puts about `bytes_left` more of it on its way, counts that down, and has the manifest in the end.
    fn go_on(&mut self, _sink: &mut Sink, _bytes_left: &mut usize) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::Misuse(format!("nothing of {} is left to be kept", self.name())))
    }
}
