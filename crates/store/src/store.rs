//! A store: tables, rows and journals that are kept together, under one position.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    checkpoint::{Checkpoint, Due},
    codec::{Codec, Join},
    error::StoreError,
    journal::Journal,
    meta::Progress,
    part::Part,
    rows::Rows,
    runs::Runs,
    shared::{Base, Shared},
    table::Table,
    tree::Tree,
};

/// Bytes of a position.
const POSITION_BYTES: usize = 64 * 1024;

/// An open store. It moves from one whole checkpoint to the next; a crash at any moment leaves the one or the other.
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    pub(crate) progress: Progress,
}

impl Store {
    pub(crate) fn open(base: &Arc<Base>, name: &str) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::take(base, name)?);
        let progress = base.call(|engine| engine.call(|db| Ok(Progress::load(db, name)))?)?;
        Ok(Self { shared, progress })
    }

    pub(crate) fn name(&self) -> &str {
        &self.shared.name
    }

    /// What the last checkpoint said of its position, whether or not it counts yet; `None` before the first.
    #[must_use]
    pub fn position(&self) -> Option<&[u8]> {
        self.progress.position.as_deref()
    }

    /// A table of records behind a write-back cache. One name can be open once at a time.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if the name is open already; what the disk says.
    pub fn table<T: Default>(&self, name: &str, codec: Codec<T>) -> Result<Table<T>, StoreError> {
        let join = codec.growth.map(|growth| growth.join);
        Ok(Table::new(self.runs(format!("table/{name}"), true, join)?, codec))
    }

    /// Rows by key. One name can be open once at a time.
    ///
    /// # Errors
    /// As [`Store::table`].
    pub fn rows(&self, name: &str) -> Result<Rows, StoreError> {
        Ok(Rows::new(self.runs(format!("rows/{name}"), false, None)?))
    }

    /// A journal. One name can be open once at a time.
    ///
    /// # Errors
    /// As [`Store::table`].
    pub fn journal(&self, name: &str) -> Result<Journal, StoreError> {
        let (tree, manifest) = self.part(format!("journal/{name}"))?;
        Journal::open(tree, name, manifest)
    }

    fn runs(&self, name: String, filtered: bool, join: Option<Join>) -> Result<Runs, StoreError> {
        let (tree, manifest) = self.part(name)?;
        Runs::open(tree, filtered, join, manifest)
    }

    /// A part's tree, and what the last checkpoint says of it.
    fn part(&self, name: String) -> Result<(Tree, Option<&[u8]>), StoreError> {
        let manifest = self.progress.manifests.get(&name).map(Vec::as_slice);
        Ok((Tree::take(&self.shared, name)?, manifest))
    }

    /// Begins a checkpoint, and hands all of it to its thread: everything dirty in the parts will be kept together with the
    /// position, all of it or nothing, whatever happens meanwhile. `parts` are all that are open.
    ///
    /// # Errors
    /// As [`Database::begin_checkpoint`](crate::Database::begin_checkpoint).
    pub fn begin_checkpoint<'a>(
        &'a mut self,
        position: &[u8],
        parts: &'a mut [&'a mut dyn Part],
    ) -> Result<Checkpoint, StoreError> {
        let base = Arc::clone(&self.shared.base);
        let parts = parts.iter_mut().map(|part| &mut **part as &mut dyn Part).collect();
        let due = &mut [Due { store: self, position: position.to_vec(), parts }];
        let mut begun = Checkpoint::begin(&base, due)?;
        begun.go_on(due, usize::MAX)?;
        Ok(begun)
    }
}

/// Whether a store and its parts are what the caller says.
pub(crate) fn check(base: &Arc<Base>, Due { store, position, parts }: &Due<'_>) -> Result<(), StoreError> {
    if position.len() > POSITION_BYTES {
        return Err(StoreError::TooLarge { what: "a position", bytes: position.len(), bound: POSITION_BYTES });
    }
    let given: BTreeSet<String> = parts.iter().map(|part| part.name().to_owned()).collect();
    let open = store.shared.names();
    if given != open || !parts.iter().all(|part| part.belongs_to(&store.shared)) {
        return Err(StoreError::Misuse(format!("a checkpoint of {given:?} where {open:?} are open")));
    }
    if !Arc::ptr_eq(base, &store.shared.base) {
        return Err(StoreError::Misuse("a checkpoint of another database's store".into()));
    }
    Ok(())
}
