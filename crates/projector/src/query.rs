//! Answers about a view, from its store.

use std::ops::ControlFlow;

use partyline_store::{Digest, Options, Store, StoreError, Table};
use partyline_wire::PositionRow;

use crate::{
    WorkError,
    page::{PAGES, Page, split},
    view::ViewPosition,
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
    store: Store,
    pages: Table<Page>,
}

impl ViewStore {
    /// Opens the store of a view that no worker runs on.
    ///
    /// # Errors
    /// If there is none, or it cannot be used.
    pub fn open_existing(dir: &std::path::Path) -> Result<Self, WorkError> {
        let store = Store::open_existing(dir, Options { sled_cache_bytes: 16 << 20, table_cache_bytes: 1 << 20 })?;
        let pages = store.table("pages", PAGES)?;
        Ok(Self { store, pages })
    }

    /// Answers a question.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn answer(&self, query: &Query) -> Result<Answer, WorkError> {
        let position = self.store.position().and_then(ViewPosition::decode).unwrap_or_default();
        answer(&self.pages, &position, query)
    }
}

pub(crate) fn answer(pages: &Table<Page>, position: &ViewPosition, query: &Query) -> Result<Answer, WorkError> {
    match query {
        Query::Rows { prefix, after, max_bytes } => {
            Ok(Answer::Rows(rows(pages, prefix, after.as_deref(), *max_bytes)?))
        }
        Query::Summary => {
            let mut digest = Digest::new();
            each_row(pages, &[], &mut |key, value| {
                digest.row(key, value);
                ControlFlow::Continue(())
            })?;
            let result = digest.finish();
            let positions = position.reflects.values().copied().collect();
            Ok(Answer::Summary(ViewSummary { digest: result.hex, rows: result.rows, positions }))
        }
    }
}

fn rows(pages: &Table<Page>, prefix: &[u8], after: Option<&[u8]>, max_bytes: usize) -> Result<ViewRows, StoreError> {
    let mut found = ViewRows::default();
    let mut bytes = 0;
    let from = after.unwrap_or(prefix);
    each_row(pages, from, &mut |key, value| {
        if key < prefix || after.is_some_and(|after| key <= after) {
            return ControlFlow::Continue(());
        }
        if !key.starts_with(prefix) {
            return ControlFlow::Break(());
        }
        if bytes >= max_bytes {
            found.more = true;
            return ControlFlow::Break(());
        }
        bytes += key.len() + value.len();
        found.rows.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Takes a key and a value, and says whether to go on.
type RowVisitor<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Visits rows in key order, from the page on that would hold the key `from`.
fn each_row(pages: &Table<Page>, from: &[u8], visit: &mut RowVisitor<'_>) -> Result<(), StoreError> {
    // A prefix may end anywhere in a key, so the page may begin before it.
    let page = if from.is_empty() { from } else { split(from).0 };
    let mut key = Vec::new();
    pages.scan(page, &mut |page, held| {
        for (rest, value) in held.rows() {
            key.clear();
            key.extend_from_slice(page);
            key.extend_from_slice(rest);
            if visit(&key, value).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}
