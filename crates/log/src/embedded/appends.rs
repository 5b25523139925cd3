//! What one transaction appends: packed before it begins, so that others wait only while it is written.

use std::{collections::HashMap, ops::Range, sync::Arc};

use super::block::Block;
use crate::{Offset, Outgoing, Partition};

/// Records for any number of partitions, in blocks.
#[derive(Default)]
pub(super) struct Appends {
    /// The sealed blocks.
    bytes: Vec<u8>,
    tails: Vec<Tail>,
    by_target: HashMap<(Arc<str>, Partition), usize>,
}

/// What goes to the end of one partition.
pub(super) struct Tail {
    pub(super) topic: Arc<str>,
    pub(super) partition: Partition,
    /// How many records each sealed block has, and where it lies.
    sealed: Vec<(u32, Range<usize>)>,
    open: Block,
}

impl Appends {
    /// Adds records; those of one partition in their order.
    pub(super) fn add<'a>(&mut self, rows: impl Iterator<Item = Outgoing<'a>>) {
        let mut before: Option<(Outgoing<'a>, usize)> = None;
        for row in rows {
            let at = match before {
                Some((before, at)) if row.is_beside(&before) => at,
                _ => self.tail(&row),
            };
            before = Some((row, at));
            let Some(tail) = self.tails.get_mut(at) else { continue };
            tail.open.append(&row);
            if tail.open.is_full() {
                tail.seal(&mut self.bytes);
            }
        }
    }

    /// Where the tail is that a record belongs to.
    fn tail(&mut self, row: &Outgoing<'_>) -> usize {
        let Outgoing { topic, partition, .. } = *row;
        *self.by_target.entry((Arc::clone(topic), partition)).or_insert_with(|| {
            self.tails.push(Tail { topic: Arc::clone(topic), partition, sealed: Vec::new(), open: Block::default() });
            self.tails.len() - 1
        })
    }

    /// Nothing more is added.
    pub(super) fn complete(&mut self) {
        for tail in self.tails.iter_mut().filter(|tail| tail.open.records() > 0) {
            tail.seal(&mut self.bytes);
        }
    }

    /// The partitions, in the order of their first records.
    pub(super) fn tails(&self) -> impl Iterator<Item = &Tail> {
        self.tails.iter()
    }

    /// The sealed blocks of a partition, each with its first offset where its first record has `begin`.
    pub(super) fn blocks<'a>(&'a self, tail: &'a Tail, begin: Offset) -> impl Iterator<Item = (Offset, &'a [u8])> {
        tail.sealed.iter().scan(begin, |end, (records, at)| {
            let first = *end;
            *end += Offset::from(*records);
            Some((first, self.bytes.get(at.clone()).unwrap_or_default()))
        })
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.tails.clear();
        self.by_target.clear();
    }
}

impl Tail {
    fn seal(&mut self, into: &mut Vec<u8>) {
        let begin = into.len();
        self.open.seal(into);
        self.sealed.push((self.open.records(), begin..into.len()));
        self.open.clear();
    }

    /// How many records are sealed.
    pub(super) fn records(&self) -> Offset {
        self.sealed.iter().map(|(records, _)| Offset::from(*records)).sum()
    }
}
