//! A part's tree: where its keys are in sled, and its name in use.

use std::sync::Arc;

use crate::{error::StoreError, shared::Shared};

/// A tree under a name that nobody else has now: two caches over the same records would overwrite each other's. It holds
/// nothing of sled's, which can be opened anew under it.
pub(crate) struct Tree {
    pub(crate) shared: Arc<Shared>,
    name: String,
    slot: usize,
}

impl Tree {
    pub(crate) fn take(shared: &Arc<Shared>, name: String) -> Result<Self, StoreError> {
        shared.check()?;
        if !shared.take_name(&name) {
            return Err(StoreError::Misuse(format!("{name} is open already")));
        }
        let mut tree = Self { shared: Arc::clone(shared), name, slot: 0 };
        tree.slot = shared.base.call(|engine| engine.open_tree(format!("{}/{}", shared.name, tree.name)))?;
        Ok(tree)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Takes note that a record cannot be decoded, and says so.
    pub(crate) fn undecodable(&self, key: &[u8], reason: &str) -> StoreError {
        self.shared.damaged(format!("the record {} of {} does not decode: {reason}", key.escape_ascii(), self.name))
    }

    /// Calls sled's tree.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&sled::Tree) -> sled::Result<R>) -> Result<R, StoreError> {
        self.shared.base.call(|engine| engine.call_tree(self.slot, call))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.shared.free_name(&self.name);
    }
}
