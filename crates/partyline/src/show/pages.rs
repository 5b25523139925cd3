//! The rows of a view, a page at a time.

use anyhow::bail;
use partyline_projector::{Answer, Query, ViewRows, ViewSummary};

use super::Ask;

/// Rows that are held at a time, in bytes of keys and values.
const PAGE_BYTES: usize = 256 << 10;

/// What a row is passed to: its key and its value.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> anyhow::Result<()> + 'a;

/// Visits every row whose key begins with `prefix`, in key order.
///
/// # Errors
/// Those of asking and of `visit`.
pub fn each_row(ask: &mut Ask<'_>, prefix: &str, visit: &mut Visit<'_>) -> anyhow::Result<()> {
    let prefix = prefix.as_bytes();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = page(ask, prefix, after.take(), PAGE_BYTES)?;
        for (key, value) in &page.rows {
            visit(key, value)?;
        }
        after = page.rows.into_iter().next_back().map(|(key, _)| key);
        // A page that says "more" but has no row would be asked for again for ever.
        if !page.more || after.is_none() {
            return Ok(());
        }
    }
}

/// The value of the row with exactly this key.
///
/// # Errors
/// Those of asking.
pub fn one(ask: &mut Ask<'_>, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let page = page(ask, key.as_bytes(), None, 1)?;
    // Of the keys with this prefix, the key itself is the first.
    Ok(page.rows.into_iter().next().filter(|(found, _)| found == key.as_bytes()).map(|(_, value)| value))
}

/// Whether any key begins with `prefix`.
///
/// # Errors
/// Those of asking.
pub fn any(ask: &mut Ask<'_>, prefix: &str) -> anyhow::Result<bool> {
    Ok(!page(ask, prefix.as_bytes(), None, 1)?.rows.is_empty())
}

/// Digest, count and positions.
///
/// # Errors
/// Those of asking.
pub fn summary(ask: &mut Ask<'_>) -> anyhow::Result<ViewSummary> {
    match ask(&Query::Summary)? {
        Answer::Summary(summary) => Ok(summary),
        Answer::Rows(_) => bail!("the view's worker gave rows where a summary was asked for"),
    }
}

fn page(ask: &mut Ask<'_>, prefix: &[u8], after: Option<Vec<u8>>, max_bytes: usize) -> anyhow::Result<ViewRows> {
    match ask(&Query::Rows { prefix: prefix.to_vec(), after, max_bytes })? {
        Answer::Rows(rows) => Ok(rows),
        Answer::Summary(_) => bail!("the view's worker gave a summary where rows were asked for"),
    }
}
