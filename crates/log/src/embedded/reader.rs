//! Reads one topic, beside anyone who writes it.

use std::{sync::Arc, time::Duration};

use rusqlite::Connection;

use super::{cursor::Cursor, home::Home, writer::out_of_range};
use crate::{Bounds, LogError, Offset, Partition, Reader, Records};

/// A connection and where it is.
pub(super) struct EmbeddedReader {
    conn: Connection,
    cursor: Cursor,
}

impl EmbeddedReader {
    /// Reads from the given offsets, which must be within the bounds.
    pub(super) fn open(
        home: Arc<Home>,
        name: &str,
        topic: i64,
        from: &[(Partition, Offset)],
        bounds: &[Bounds],
    ) -> Result<Self, LogError> {
        let conn = home.connect(false)?;
        let mut cursor = Cursor::new(home, topic);
        for &(partition, offset) in from {
            let Some(Bounds { begin, end, .. }) = bounds.iter().find(|b| b.partition == partition) else {
                return Err(out_of_range(name, partition));
            };
            if offset < *begin || offset > *end {
                let what = format!("{offset} of {name}, partition {partition}, which has {begin} to {end}");
                return Err(LogError::OutOfRange(what));
            }
            cursor.start(partition, offset);
        }
        Ok(Self { conn, cursor })
    }
}

impl Reader for EmbeddedReader {
    fn next(&mut self, into: &mut Records, wait: Duration) -> Result<(), LogError> {
        self.cursor.next(&self.conn, into, wait).map(|_| ())
    }

    fn position(&self, partition: Partition) -> Offset {
        self.cursor.position(partition)
    }
}
