//! Answers about a view, from its store.

use std::ops::ControlFlow;

use partyline_store::{Database, Rows, Store, StoreError};
use partyline_wire::PositionRow;

use crate::{
    Settings, WorkError,
    view::{NAME, ViewPosition},
};

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Rows whose keys begin with `prefix`, after the key `after`, in key order.
    Rows {
        /// How keys begin.
        prefix: Vec<u8>,
        /// The last key of the answer before.
        after: Option<Vec<u8>>,
        /// At most so many bytes of rows (one row more may come).
        max_bytes: usize,
    },
    /// Digest, row count, and the positions that they reflect.
    Summary,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Query::Rows`].
    Rows(ViewRows),
    /// To [`Query::Summary`].
    Summary(ViewSummary),
}

/// Rows of a view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ViewRows {
    /// Keys and values, in key order.
    pub rows: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether there is more behind the last one.
    pub more: bool,
}

/// What a view amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewSummary {
    /// The digest over its sorted rows, hexadecimal.
    pub digest: String,
    /// How many rows.
    pub rows: u64,
    /// How far it has come, by log partition.
    pub positions: Vec<PositionRow>,
}

/// The rows of a view, as of the last checkpoint.
pub struct ViewStore {
    rows: Rows,
    store: Store,
    /// Keeps the folder's lock.
    _database: Database,
}

impl ViewStore {
    /// Opens the store of a view that no worker runs on.
    ///
    /// # Errors
    /// If there is none, or it cannot be used.
    pub fn open_existing(dir: &std::path::Path) -> Result<Self, WorkError> {
        let database = Database::open_existing(dir, Settings::default().lasting())?;
        let store = database.store(NAME)?;
        Ok(Self { rows: store.rows(NAME)?, store, _database: database })
    }

    /// Answers a question.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn answer(&self, query: &Query) -> Result<Answer, WorkError> {
        let position = self.store.position().and_then(ViewPosition::decode).unwrap_or_default();
        answer(&self.rows, &position, query)
    }
}

pub(crate) fn answer(rows: &Rows, position: &ViewPosition, query: &Query) -> Result<Answer, WorkError> {
    match query {
        Query::Rows { prefix, after, max_bytes } => Ok(Answer::Rows(page(rows, prefix, after.as_deref(), *max_bytes)?)),
        Query::Summary => {
            let result = rows.digest()?;
            let positions = position.reflects.values().copied().collect();
            Ok(Answer::Summary(ViewSummary { digest: result.hex, rows: result.rows, positions }))
        }
    }
}

fn page(rows: &Rows, prefix: &[u8], after: Option<&[u8]>, max_bytes: usize) -> Result<ViewRows, StoreError> {
    let mut found = ViewRows::default();
    let mut bytes = 0;
    let from = after.map_or(prefix, |after| after.max(prefix));
    rows.scan(from, &mut |key, value| {
        if after.is_some_and(|after| key <= after) {
            return Ok(ControlFlow::Continue(()));
        }
        if !key.starts_with(prefix) {
            return Ok(ControlFlow::Break(()));
        }
        if bytes >= max_bytes {
            found.more = true;
            return Ok(ControlFlow::Break(()));
        }
        bytes += key.len() + value.len();
        found.rows.push((key.to_vec(), value.to_vec()));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}
