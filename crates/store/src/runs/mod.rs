//! Sorted runs: how records lie in sled. Each checkpoint writes what has changed as a new run, in key order and in
//! blocks, and nothing is ever overwritten: that is what sled is fastest at, and why a checkpoint that is cut off
//! leaves the one before whole. The newest run that has a key has its record, or what was added to that since an older
//! one: a record is what lies under its key, from the newest run on that does not add, in the order of the runs.
//!
//! - `run`: one run. `block`: a block's bytes. `filter`: which runs need not be asked for a key.
//! - `merge`: several runs read as one. `pick`: which ones are made one, so that there are never many.
//!
//! The checkpoint's manifest says which runs count; what lies there besides is left from a crash, and is removed.

mod block;
mod filter;
mod merge;
mod pick;
mod run;

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
};

pub(crate) use self::block::Record;
use self::{
    filter::Hash,
    merge::Merged,
    run::{Draft, Run},
};
use crate::{
    blob::Blobs,
    checkpoint::Sink,
    codec::Join,
    error::StoreError,
    fields::{Reader, Writer as Fields},
    tree::Tree,
};

/// What removing a key costs, in the bytes that could be merged instead.
const REMOVAL_BYTES: usize = 4_000;

/// Fewer runs are not merged where records are looked for by their keys: each run that may have one is asked.
const FEWEST_ASKED: usize = 4;
/// And where they are read in their order only: then a run costs little, and writing records again much.
const FEWEST_READ: usize = 8;

/// What [`Rows::scan`](crate::Rows::scan) calls with each key and value; it says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'a;

/// The runs of one table.
pub(crate) struct Runs {
    tree: Arc<Tree>,
    filtered: bool,
    /// For records that grow.
    join: Option<Join>,
    /// Newest first.
    runs: Vec<Arc<Run>>,
    next_id: u64,
    /// The run that a checkpoint is being given.
    adding: Option<Draft>,
    merge: Option<Merge>,
    /// Merged into others that the next checkpoint will name instead.
    replaced: Vec<u64>,
    /// The checkpoint that names others instead, and which; first those that the first checkpoint does without.
    leaving: VecDeque<(u64, u64)>,
    /// Not named by the last checkpoint that counts.
    garbage: VecDeque<u64>,
}

/// Runs that are being made one.
struct Merge {
    inputs: Vec<u64>,
    from: Merged,
    draft: Draft,
}

impl Runs {
    /// The runs that a manifest names; `filtered` says whether keys are asked for that may not be there, `join` makes one
    /// value of those that stand behind each other.
    pub(crate) fn open(
        tree: Tree,
        filtered: bool,
        join: Option<Join>,
        manifest: Option<&[u8]>,
    ) -> Result<Self, StoreError> {
        let mut opened = Self {
            tree: Arc::new(tree),
            filtered,
            join,
            runs: Vec::new(),
            next_id: 1,
            adding: None,
            merge: None,
            replaced: Vec::new(),
            leaving: VecDeque::new(),
            garbage: VecDeque::new(),
        };
        let unreadable =
            || opened.tree.shared.damaged(format!("the list of runs of {} cannot be read", opened.tree.name()));
        let mut runs = Vec::new();
        if let Some(manifest) = manifest {
            let mut fields = Reader::open(manifest).ok_or_else(unreadable)?;
            for _ in 0..fields.number().ok_or_else(unreadable)? {
                let (id, bytes) = fields.number().zip(fields.number()).ok_or_else(unreadable)?;
                runs.push(Arc::new(Run::load(opened.blobs(), id, bytes, filtered)?));
            }
        }
        opened.runs = runs;
        opened.find_garbage()?;
        Ok(opened)
    }

    /// Runs that lie there and were never named.
    fn find_garbage(&mut self) -> Result<(), StoreError> {
        let mut from = 0_u64;
        loop {
            let next = |tree: &sled::Tree| tree.range(from.to_be_bytes().to_vec()..).keys().next().transpose();
            let Some(key) = self.tree.call(next)? else { return Ok(()) };
            let Some(id) = run::of_key(&key) else { return Err(self.tree.shared.damaged("a key that is none")) };
            if self.runs.iter().all(|run| run.id != id) {
                self.garbage.push_back(id);
            }
            self.next_id = self.next_id.max(id + 1);
            from = id + 1;
        }
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    fn blobs(&self) -> Blobs<'_> {
        Blobs { tree: &self.tree }
    }

    /// The value of a key, as the last checkpoint has it.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.tree.shared.check()?;
        let hash = Hash::of(key);
        let mut added = Vec::new();
        for run in self.runs.iter().filter(|run| run.may_have(hash)) {
            match run.get(self.blobs(), key)? {
                None => {}
                Some((value, true)) => added.push(value),
                Some((mut value, false)) => {
                    added.iter().rev().for_each(|added| value.extend_from_slice(added));
                    return Ok(Some(value));
                }
            }
        }
        let missing =
            || format!("what the record {} of {} began with is missing", key.escape_ascii(), self.tree.name());
        if added.is_empty() { Ok(None) } else { Err(self.tree.shared.damaged(missing())) }
    }

    /// Visits the records from `from` on, in key order, until `visit` says stop.
    pub(crate) fn scan(&self, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.tree.shared.check()?;
        let mut merged = Merged::new(&self.runs, from, self.blobs())?;
        while let Some(record) = merged.record() {
            if visit(record.key, record.value)?.is_break() {
                break;
            }
            merged.step(self.blobs())?;
        }
        Ok(())
    }

    /// Keys that part the records in `shares` of about the same size; fewer where there are few records.
    pub(crate) fn parting_keys(&self, shares: usize) -> Vec<&[u8]> {
        let Some(longest) = self.runs.iter().max_by_key(|run| run.bytes) else { return Vec::new() };
        (1..shares).filter_map(|share| longest.key_at(share, shares)).collect()
    }

    /// Puts a record of a new run on its way, the next in key order.
    pub(crate) fn add(&mut self, record: Record<'_>, sink: &mut Sink) -> Result<(), StoreError> {
        let draft = self.adding.get_or_insert_with(|| {
            self.next_id += 1;
            Draft::new(self.next_id - 1, self.filtered)
        });
        draft.push(record, &mut |key, bytes| sink.put(&self.tree, key, bytes))
    }

    /// Ends the new run, if there are records for one: it is read like any other from now on, and counts once a checkpoint
    /// names it. Says in a manifest which runs there are, for that checkpoint.
    pub(crate) fn complete(&mut self, sink: &mut Sink) -> Result<Vec<u8>, StoreError> {
        if let Some(draft) = self.adding.take() {
            let run = draft.finish(&mut |key, bytes| sink.put(&self.tree, key, bytes))?;
            self.runs.insert(0, Arc::new(run));
        }
        self.leaving.extend(self.replaced.drain(..).map(|id| (sink.number(), id)));
        let fields = Fields::default().number(self.runs.len() as u64);
        Ok(self.runs.iter().fold(fields, |fields, run| fields.number(run.id).number(run.bytes)).seal())
    }

    /// Merges and removes what is due; no more than about `max_bytes` of it. Returns what is left of that: nothing if
    /// there may be more to do.
    pub(crate) fn tidy(&mut self, max_bytes: usize) -> Result<usize, StoreError> {
        self.tree.shared.check()?;
        self.try_tidy(max_bytes).map_err(|error| self.tree.shared.base.fail(error))
    }

    fn try_tidy(&mut self, max_bytes: usize) -> Result<usize, StoreError> {
        let checkpoints = self.tree.shared.base.checkpoints.load(Ordering::Acquire);
        while let Some((checkpoint, id)) = self.leaving.front()
            && *checkpoint <= checkpoints
        {
            self.garbage.push_back(*id);
            self.leaving.pop_front();
        }
        let mut left = self.remove_garbage(max_bytes)?;
        while left > 0
            && let Some(merge) = self.merge()?
        {
            left = self.merge_on(merge, left)?;
        }
        Ok(left)
    }

    /// How much there is to do: runs, of which each costs who looks for a record, and garbage, which takes room.
    pub(crate) fn untidy(&self) -> usize {
        self.runs.len() + self.garbage.len()
    }

    /// The merge to go on with, if one is due.
    fn merge(&mut self) -> Result<Option<Merge>, StoreError> {
        if let Some(merge) = self.merge.take() {
            return Ok(Some(merge));
        }
        let fewest = if self.filtered { FEWEST_ASKED } else { FEWEST_READ };
        let Some(due) = pick::due(self.runs.iter().map(|run| run.bytes), fewest) else { return Ok(None) };
        let inputs = self.runs.get(due).unwrap_or_default();
        let from = Merged::new(inputs, &[], self.blobs())?;
        let inputs = inputs.iter().map(|run| run.id).collect();
        let draft = Draft::new(self.next_id, self.filtered);
        self.next_id += 1;
        Ok(Some(Merge { inputs, from, draft }))
    }

    fn merge_on(&mut self, mut merge: Merge, max_bytes: usize) -> Result<usize, StoreError> {
        let blobs = Blobs { tree: &self.tree };
        let mut writer = blobs.writer();
        let put = &mut |mut key: Vec<u8>, bytes: Vec<u8>| blobs.put(&mut writer, &mut key, &bytes);
        let mut bytes = 0;
        while let Some(record) = merge.from.record() {
            if bytes >= max_bytes {
                writer.flush()?;
                self.merge = Some(merge);
                return Ok(0);
            }
            bytes += record.key.len() + record.value.len();
            let join = self.join.filter(|_| merge.from.has_joined());
            let joined = join.map(|join| join(record.value)).transpose();
            let joined = joined.map_err(|reason| self.tree.undecodable(record.key, &reason))?;
            merge.draft.push(Record { value: joined.as_deref().unwrap_or(record.value), ..record }, put)?;
            merge.from.step(blobs)?;
        }
        let run = merge.draft.finish(put)?;
        writer.flush()?;
        let at = self.runs.iter().position(|run| merge.inputs.contains(&run.id)).unwrap_or_default();
        self.runs.retain(|run| !merge.inputs.contains(&run.id));
        self.runs.insert(at, Arc::new(run));
        self.replaced.extend(merge.inputs);
        Ok(max_bytes.saturating_sub(bytes))
    }

    /// Removes keys of runs that no checkpoint names; returns what is left of `max_bytes`.
    fn remove_garbage(&mut self, max_bytes: usize) -> Result<usize, StoreError> {
        let mut left = max_bytes;
        while left > 0
            && let Some(id) = self.garbage.front()
        {
            let range = id.to_be_bytes().to_vec()..(id + 1).to_be_bytes().to_vec();
            let most = left.div_ceil(REMOVAL_BYTES);
            let keys = |tree: &sled::Tree| tree.range(range).keys().take(most).collect::<sled::Result<Vec<_>>>();
            let keys = self.tree.call(keys)?;
            let mut writer = self.blobs().writer();
            keys.iter().try_for_each(|key| writer.remove(key))?;
            writer.flush()?;
            left = left.saturating_sub(keys.len() * REMOVAL_BYTES);
            if keys.len() < most {
                self.garbage.pop_front();
            }
        }
        Ok(left)
    }
}
