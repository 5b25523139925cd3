//! The table of starts: what a projector does when it gains a partition.

use partyline_log::{Bounds, Offset};

use crate::StartError;

/// What to do with a partition that was gained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Fold from here ...
    pub from: Offset,
    /// ... up to here, publishing nothing; then go on from here.
    pub until: Offset,
}

/// Decides from the store's position, the group's position, the log's bounds, and whether the view topics are empty.
///
/// # Errors
/// [`StartError`] where going on would publish something twice or miss something.
pub fn decide(
    stored: Option<Offset>,
    committed: Option<Offset>,
    bounds: Bounds,
    views_empty: bool,
) -> Result<Start, StartError> {
    let Bounds { partition, begin, end } = bounds;
    let from = stored.unwrap_or(0);
    if from < begin {
        return Err(StartError::LogTrimmed { partition, begin, needed: from });
    }
    let until = match (stored, committed) {
        (None, None) if views_empty => 0,
        (None, None) => return Err(StartError::PositionsGone { partition }),
        (_, Some(committed)) if committed >= from => committed,
        (_, committed) => return Err(StartError::StoreAhead { partition, stored: from, committed }),
    };
    if until > end {
        return Err(StartError::LogCutShort { partition, end, committed: until });
    }
    Ok(Start { from, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_starts() {
        let gone = StartError::PositionsGone { partition: 3 };
        let ahead = |committed| StartError::StoreAhead { partition: 3, stored: 5, committed };
        let trimmed = |needed| StartError::LogTrimmed { partition: 3, begin: 7, needed };
        let short = StartError::LogCutShort { partition: 3, end: 10, committed: 11 };
        let start = |from, until| Ok(Start { from, until });
        for (stored, committed, begin, views_empty, expected) in [
            (None, None, 0, true, start(0, 0)),
            (None, None, 0, false, Err(gone)),
            (None, None, 7, true, Err(trimmed(0))),
            (None, Some(9), 0, false, start(0, 9)),
            (None, Some(0), 0, true, start(0, 0)),
            (None, Some(9), 7, false, Err(trimmed(0))),
            (Some(5), Some(9), 0, false, start(5, 9)),
            (Some(5), Some(5), 0, false, start(5, 5)),
            (Some(5), None, 0, false, Err(ahead(None))),
            (Some(5), None, 0, true, Err(ahead(None))),
            (Some(5), Some(4), 0, false, Err(ahead(Some(4)))),
            (Some(5), Some(9), 7, false, Err(trimmed(5))),
            (Some(5), Some(11), 0, false, Err(short)),
        ] {
            let bounds = Bounds { partition: 3, begin, end: 10 };
            assert_eq!(decide(stored, committed, bounds, views_empty), expected, "{stored:?} {committed:?} {begin}");
        }
    }
}
