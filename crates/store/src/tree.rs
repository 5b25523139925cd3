//! A part's tree: where its keys are in sled, what is on its way there, and its name in use.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use crate::{
    error::StoreError,
    shared::{Shared, locked},
};

/// A tree under a name that nobody else has now: two caches over the same records would overwrite each other's. It holds
/// nothing of sled's, which can be opened anew under it.
pub(crate) struct Tree {
    pub(crate) shared: Arc<Shared>,
    name: String,
    slot: usize,
    /// Byte strings that a checkpoint is still to write, by their keys.
    waiting: Mutex<HashMap<Vec<u8>, Arc<Vec<u8>>>>,
}

impl Tree {
    pub(crate) fn take(shared: &Arc<Shared>, name: String) -> Result<Self, StoreError> {
        shared.check()?;
        if !shared.take_name(&name) {
            return Err(StoreError::Misuse(format!("{name} is open already")));
        }
        let mut tree = Self { shared: Arc::clone(shared), name, slot: 0, waiting: Mutex::default() };
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

    /// Calls sled's tree, and takes note of an error.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&sled::Tree) -> sled::Result<R>) -> Result<R, StoreError> {
        self.try_call(call).map_err(|error| self.shared.base.fail(error))
    }

    /// Calls sled's tree.
    pub(crate) fn try_call<R>(&self, call: impl FnOnce(&sled::Tree) -> sled::Result<R>) -> Result<R, StoreError> {
        self.shared.base.engine.call_tree(self.slot, call)
    }

    /// A byte string will be there; until then it is found here.
    pub(crate) fn will_have(&self, key: Vec<u8>, bytes: Arc<Vec<u8>>) {
        locked(&self.waiting).insert(key, bytes);
    }

    /// A byte string that is on its way.
    pub(crate) fn waiting(&self, key: &[u8]) -> Option<Vec<u8>> {
        locked(&self.waiting).get(key).map(|bytes| bytes.to_vec())
    }

    /// Byte strings are there.
    pub(crate) fn has<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let mut waiting = locked(&self.waiting);
        keys.for_each(|key| drop(waiting.remove(key)));
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.shared.free_name(&self.name);
    }
}
