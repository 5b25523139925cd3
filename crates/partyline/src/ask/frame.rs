//! What goes over the socket: a length of four bytes, a version, a kind, and the fields of a question or an answer.
//! Whole numbers are little-endian; bytes come with their length in front.

use std::io;

use partyline_projector::{Answer, Query, ViewRows, ViewSummary};
use partyline_wire::PositionRow;

/// A frame is at most so many bytes.
pub(super) const FRAME_BYTES_MAX: usize = 32 << 20;
/// An answer has at most so many bytes of rows, and one row more.
pub(super) const ROWS_BYTES_MAX: usize = 4 << 20;
const VERSION: u8 = 1;
const ROWS: u8 = 0;
const SUMMARY: u8 = 1;
const FAILED: u8 = 2;

/// The length of the frame that follows.
pub(super) fn length(bytes: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(bytes) as usize;
    if length <= FRAME_BYTES_MAX { Ok(length) } else { Err(garbled("a frame that is too long")) }
}

/// The frame of a question.
pub(super) fn question(query: &Query) -> Vec<u8> {
    match query {
        Query::Summary => frame(SUMMARY, |_| ()),
        Query::Rows { prefix, after, max_bytes } => frame(ROWS, |buf| {
            put_bytes(buf, prefix);
            put_u64(buf, *max_bytes as u64);
            if let Some(after) = after {
                put_bytes(buf, after);
            }
        }),
    }
}

/// Reads a question; the answer is bounded whatever it asks for.
pub(super) fn read_question(frame: &[u8]) -> io::Result<Query> {
    let (kind, mut fields) = open(frame)?;
    match kind {
        SUMMARY => Ok(Query::Summary),
        ROWS => {
            let prefix = fields.bytes()?.to_vec();
            let max_bytes = usize::try_from(fields.u64()?).unwrap_or(usize::MAX).min(ROWS_BYTES_MAX);
            let after = if fields.0.is_empty() { None } else { Some(fields.bytes()?.to_vec()) };
            Ok(Query::Rows { prefix, after, max_bytes })
        }
        _ => Err(garbled("a question of an unknown kind")),
    }
}

/// The frame of an answer, or of why there is none.
pub(super) fn answer(answer: &Result<Answer, String>) -> Vec<u8> {
    match answer {
        Err(reason) => frame(FAILED, |buf| put_bytes(buf, reason.as_bytes())),
        Ok(Answer::Rows(found)) => frame(ROWS, |buf| {
            buf.push(found.more.into());
            for (key, value) in &found.rows {
                put_bytes(buf, key);
                put_bytes(buf, value);
            }
        }),
        Ok(Answer::Summary(summary)) => frame(SUMMARY, |buf| {
            put_bytes(buf, summary.digest.as_bytes());
            put_u64(buf, summary.rows);
            for PositionRow { partition, next_offset, at_ms } in &summary.positions {
                put_u64(buf, u64::from(*partition));
                put_u64(buf, *next_offset);
                put_u64(buf, at_ms.cast_unsigned());
            }
        }),
    }
}

/// Reads an answer.
pub(super) fn read_answer(frame: &[u8]) -> io::Result<Result<Answer, String>> {
    let (kind, mut fields) = open(frame)?;
    match kind {
        FAILED => Ok(Err(String::from_utf8_lossy(fields.bytes()?).into_owned())),
        ROWS => {
            let mut found = ViewRows { rows: Vec::new(), more: fields.take::<1>()? == &[1] };
            while !fields.0.is_empty() {
                found.rows.push((fields.bytes()?.to_vec(), fields.bytes()?.to_vec()));
            }
            Ok(Ok(Answer::Rows(found)))
        }
        SUMMARY => {
            let digest = String::from_utf8_lossy(fields.bytes()?).into_owned();
            let rows = fields.u64()?;
            let mut positions = Vec::new();
            while !fields.0.is_empty() {
                let partition = u32::try_from(fields.u64()?).map_err(|_| garbled("a partition that is too large"))?;
                let (next_offset, at_ms) = (fields.u64()?, fields.u64()?.cast_signed());
                positions.push(PositionRow { partition, next_offset, at_ms });
            }
            Ok(Ok(Answer::Summary(ViewSummary { digest, rows, positions })))
        }
        _ => Err(garbled("an answer of an unknown kind")),
    }
}

fn frame(kind: u8, fields: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, VERSION, kind];
    fields(&mut bytes);
    let length = u32::try_from(bytes.len() - 4).unwrap_or(u32::MAX).to_le_bytes();
    bytes.splice(..4, length);
    bytes
}

fn put_u64(buf: &mut Vec<u8>, number: u64) {
    buf.extend_from_slice(&number.to_le_bytes());
}

fn put_bytes(buf: &mut Vec<u8>, bytes: &[u8]) {
    buf.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    buf.extend_from_slice(bytes);
}

/// What is left of a frame.
struct Fields<'a>(&'a [u8]);

fn open(frame: &[u8]) -> io::Result<(u8, Fields<'_>)> {
    match frame {
        [VERSION, kind, fields @ ..] => Ok((*kind, Fields(fields))),
        _ => Err(garbled("another version of partyline")),
    }
}

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> io::Result<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(|| garbled("a frame that is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn u64(&mut self) -> io::Result<u64> {
        Ok(u64::from_le_bytes(*self.take()?))
    }

    fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let length = u32::from_le_bytes(*self.take()?) as usize;
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| garbled("a frame that is too short"))?;
        self.0 = rest;
        Ok(taken)
    }
}

fn garbled(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} came over the view's socket"))
}
