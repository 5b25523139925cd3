//! Lines become commands, on a thread of their own. At most a few chunks wait; a line that is too long is skipped
//! without being kept.

use std::{
    io::{self, BufRead as _, BufReader, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use partyline_wire::{CommandLine, command_from_json};

/// A longer line is bad. Bytes. The largest command fits, 64 KiB of which JSON may need six for each (`\u0001`).
pub(super) const LINE_BYTES_MAX: usize = 512 << 10;
const READ_BYTES: usize = 64 << 10;
const CHUNK_ITEMS: usize = 1_000;
const CHUNK_BYTES: usize = 1 << 20;
const CHUNKS_WAITING: usize = 4;

/// What became of some lines.
#[derive(Debug, Default)]
pub struct Chunk {
    /// In the order of the lines.
    pub items: Vec<Item>,
    /// Why nothing comes after them, if not because the input is over.
    pub failed: Option<io::Error>,
}

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// It is a command.
    Good(Good),
    /// It is not: the line's number and what is wrong with which field.
    Bad(u64, String),
}

/// A command to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Good {
    /// The line's number, from 1.
    pub line: u64,
    /// The command's id.
    pub id: Box<str>,
    /// The record's key: the business number.
    pub key: Box<str>,
    /// The record's value.
    pub value: Vec<u8>,
}

/// Begins to read.
///
/// # Errors
/// If the system gives no thread.
pub(super) fn read(input: impl Read + Send + 'static) -> io::Result<Receiver<Chunk>> {
    let (chunks, received) = sync_channel(CHUNKS_WAITING);
    // It may sleep in a read for ever, so nobody waits for its end.
    thread::Builder::new().name("lines".to_owned()).spawn(move || Lines::new(input).run(&chunks))?;
    Ok(received)
}

struct Lines<R> {
    input: BufReader<R>,
    number: u64,
    line: Vec<u8>,
    is_too_long: bool,
}

impl<R: Read> Lines<R> {
    fn new(input: R) -> Self {
        let input = BufReader::with_capacity(READ_BYTES, input);
        Self { input, number: 0, line: Vec::new(), is_too_long: false }
    }

    fn run(mut self, chunks: &SyncSender<Chunk>) {
        let mut chunk = Chunk::default();
        let mut bytes = 0;
        loop {
            let more = self.next();
            if let Ok(true) = more {
                bytes += self.line.len();
                chunk.items.extend(self.item());
                // What is there already is sent on before waiting for more.
                let is_waiting = self.input.buffer().is_empty();
                if chunk.items.len() < CHUNK_ITEMS && bytes < CHUNK_BYTES && !is_waiting {
                    continue;
                }
            }
            let is_over = !matches!(more, Ok(true));
            chunk.failed = more.err();
            bytes = 0;
            if chunks.send(std::mem::take(&mut chunk)).is_err() || is_over {
                return;
            }
        }
    }

    /// Reads the next line into `line`; `false` at the end.
    fn next(&mut self) -> io::Result<bool> {
        self.line.clear();
        self.is_too_long = false;
        let mut any = false;
        loop {
            let read = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if read.is_empty() {
                self.number += u64::from(any);
                return Ok(any);
            }
            any = true;
            let end = read.iter().position(|byte| *byte == b'\n');
            let part = read.get(..end.unwrap_or(read.len())).unwrap_or_default();
            if self.line.len() + part.len() > LINE_BYTES_MAX {
                self.is_too_long = true;
            } else if !self.is_too_long {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                self.number += 1;
                return Ok(true);
            }
        }
    }

    /// What the line is; nothing if it is blank.
    fn item(&self) -> Option<Item> {
        let bad = |problem: String| Some(Item::Bad(self.number, problem));
        if self.is_too_long {
            return bad(format!("line is longer than {LINE_BYTES_MAX} bytes"));
        }
        let Ok(text) = std::str::from_utf8(&self.line) else { return bad("line is not UTF-8".to_owned()) };
        if text.trim().is_empty() {
            return None;
        }
        match command_from_json(text) {
            Err(invalid) => bad(invalid.to_string()),
            Ok(CommandLine { command, value }) => Some(Item::Good(Good {
                line: self.number,
                id: command.id.as_str().into(),
                key: command.number.as_str().into(),
                value,
            })),
        }
    }
}
