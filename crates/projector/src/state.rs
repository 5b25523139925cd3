//! The state of one log partition: what the ledger remembers, in a store.

use std::{iter, path::Path, sync::Arc};

use partyline_ledger::{ChannelId, Command, Conversation, Customer, Entry, IdHash, IdKind, Memory, Number};
use partyline_log::{Backend, GENERATION, Partition};
use partyline_store::{Checkpoint, Codec, Database, Due, Growth, Identity, Journal, Options, Store, StoreError, Table};
use partyline_wire::state as codec;
use smallvec::SmallVec;

use crate::WorkError;

/// A chunk of history takes at most this many records ...
const CHUNK_RECORDS: usize = 1_000;
/// ... and no more once it has this many bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// What is known after the commands below `next_offset`.
pub(crate) struct PartitionState {
    pub numbers: Table<Number>,
    pub memory: Recall,
    store: Store,
    pub position: StatePosition,
    /// Commands folded since the last checkpoint.
    pub since_checkpoint: u64,
}

/// How far a state has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StatePosition {
    pub next_offset: u64,
    /// Log time of the last command below.
    pub at_ms: i64,
}

/// Conversations and lists, in tables of the store.
pub(crate) struct Recall {
    conversations: Table<Conversation>,
    lists: Journal,
    key: Vec<u8>,
    list: String,
    bytes: Vec<u8>,
}

impl PartitionState {
    /// Opens the state of a partition among others; where there is none it begins at 0.
    pub fn open(database: &Database, partition: Partition) -> Result<Self, WorkError> {
        let store = database.store(&partition.to_string())?;
        let numbers = store.table("numbers", NUMBERS)?;
        let memory = Recall {
            conversations: store.table("conversations", CONVERSATIONS)?,
            lists: store.journal("lists")?,
            key: Vec::new(),
            list: String::new(),
            bytes: Vec::new(),
        };
        let position = store.position().and_then(StatePosition::decode).unwrap_or_default();
        Ok(Self { numbers, memory, store, position, since_checkpoint: 0 })
    }

    /// The position of the last checkpoint; `None` if there is none, or it knows of no command.
    pub fn stored(&self) -> Option<u64> {
        let position = self.store.position().and_then(StatePosition::decode)?;
        (position.next_offset > 0).then_some(position.next_offset)
    }

    /// All changes and the position, for a checkpoint. Only what is committed may be kept.
    fn due(&mut self) -> Due<'_> {
        let position = self.position.encode();
        let Self { store, numbers, memory: Recall { conversations, lists, .. }, .. } = self;
        Due { store, position, parts: vec![numbers, conversations, lists] }
    }

    /// Memory that changes take.
    pub fn dirty_bytes(&self) -> usize {
        self.numbers.dirty_bytes() + self.memory.conversations.dirty_bytes() + self.memory.lists.pending_bytes()
    }

    fn cached_bytes(&self) -> usize {
        self.numbers.cached_bytes() + self.memory.conversations.cached_bytes()
    }

    fn untidy(&self) -> usize {
        self.memory.conversations.untidy() + self.memory.lists.untidy() + self.numbers.untidy()
    }

    /// Everything so far belongs to transactions up to `ticket`.
    pub fn seal(&mut self, ticket: u64) {
        self.memory.lists.seal(ticket);
    }

    /// Writes full pages of committed transactions ahead of the checkpoint.
    pub fn write_back(&mut self, committed_ticket: u64) -> Result<(), WorkError> {
        Ok(self.memory.lists.write_back(committed_ticket)?)
    }
}

/// Opens the database in which each partition of the log has a state; one that is in doubt is moved aside, and the
/// states begin at 0.
pub(crate) fn open(
    dir: &Path,
    role: &str,
    backend: &Arc<dyn Backend>,
    options: Options,
) -> Result<Database, WorkError> {
    let identity = Identity {
        role: role.to_owned(),
        log_id: backend.id()?,
        topic: backend.topics().commands.to_string(),
        generation: GENERATION.to_owned(),
        format: codec::FORMAT,
    };
    let opened = Database::open(dir, &identity, options)?;
    if let Some(aside) = opened.moved_aside {
        tracing::warn!(path = %aside.path.display(), reason = %aside.reason, "a store in doubt was moved aside");
    }
    Ok(opened.database)
}

/// Begins the checkpoints of some partitions, no more than [`Database::CHECKPOINT_STORES`].
pub(crate) fn begin_checkpoint(
    database: &Database,
    states: &mut [&mut PartitionState],
) -> Result<Checkpoint, WorkError> {
    let begun = database.begin_checkpoint(&mut all_due(states))?;
    states.iter_mut().for_each(|state| state.since_checkpoint = 0);
    Ok(begun)
}

/// Encodes about `max_bytes` more of what a checkpoint keeps; its partitions are among these.
pub(crate) fn write_checkpoint(
    checkpoint: &mut Checkpoint,
    states: &mut [&mut PartitionState],
    max_bytes: usize,
) -> Result<(), StoreError> {
    checkpoint.go_on(&mut all_due(states), max_bytes).map(drop)
}

fn all_due<'s>(states: &'s mut [&mut PartitionState]) -> Vec<Due<'s>> {
    states.iter_mut().map(|state| state.due()).collect()
}

/// Does some of the work that keeps the stores small, no more than about `max_bytes` of it: where most is to do first.
pub(crate) fn tidy(states: &mut [&mut PartitionState], max_bytes: usize) -> Result<(), WorkError> {
    states.sort_by_key(|state| std::cmp::Reverse(state.untidy()));
    let mut left = max_bytes;
    for state in states {
        left = state.memory.conversations.tidy(left)?;
        left = state.memory.lists.tidy(left)?;
        left = state.numbers.tidy(left)?;
    }
    Ok(())
}

/// Lets go of unchanged records of all partitions beyond the bound; of each as large a part as of the others.
pub(crate) fn trim(states: &mut [&mut PartitionState], max_bytes: usize) {
    let cached: usize = states.iter().map(|state| state.cached_bytes()).sum();
    if cached <= max_bytes {
        return;
    }
    let part = |bytes: usize| (bytes as f64 * (max_bytes as f64 / cached as f64)) as usize;
    for state in states {
        state.numbers.trim(part(state.numbers.cached_bytes()));
        state.memory.conversations.trim(part(state.memory.conversations.cached_bytes()));
    }
}

impl StatePosition {
    fn encode(self) -> Vec<u8> {
        let mut bytes = self.next_offset.to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.at_ms.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (offset, at_ms) = bytes.split_first_chunk()?;
        Some(Self { next_offset: u64::from_le_bytes(*offset), at_ms: i64::from_le_bytes(at_ms.try_into().ok()?) })
    }
}

const NUMBERS: Codec<Number> = Codec {
    encode: codec::encode_number,
    decode: |bytes| codec::decode_number(bytes).map_err(|damaged| damaged.to_string()),
    weigh: |number| size_of::<Number>() + number.members.len() * 96 + number.seen.memory_bytes(),
    // What was never subscribed to remembers nothing, however many name it.
    keep: |number| !number.members.is_empty(),
    growth: None,
};

const CONVERSATIONS: Codec<Conversation> = Codec {
    encode: codec::encode_conversation,
    decode: |bytes| codec::decode_conversation(bytes).map_err(|damaged| damaged.to_string()),
    weigh: |conversation| size_of::<Conversation>() + conversation.memory_bytes(),
    keep: |conversation| conversation.opened,
    // A conversation's ids are many times what it gets between two checkpoints, and hardly ever wanted.
    growth: Some(Growth {
        kept: Conversation::kept,
        join: |bytes| codec::join_conversation(bytes).map_err(|damaged| damaged.to_string()),
    }),
};

impl Recall {
    fn conversation_key(&mut self, channel: &ChannelId, customer: &Customer) {
        self.key.clear();
        append_key(&mut self.key, channel.as_bytes(), customer);
    }

    /// Has what is known of these commands' conversations come from memory, several at once. Isolated channels' are left
    /// out: those of the shared channel are nearly all.
    pub fn fetch<'c>(&self, commands: impl Iterator<Item = &'c Command>) {
        let mut keys = Vec::new();
        let mut wanted = SmallVec::<[(usize, IdKind); 32]>::new();
        for Command { number, action, .. } in commands {
            let Some(customer) = action.customer() else { continue };
            append_key(&mut keys, number.as_bytes(), customer);
            wanted.push((keys.len(), action.id_kind()));
        }
        let begins = iter::once(0).chain(wanted.iter().map(|(end, _)| *end));
        let keyed = begins.zip(&wanted).filter_map(|(begin, (end, kind))| Some((keys.get(begin..*end)?, *kind)));
        self.conversations.fetch(keyed, |conversation, kind| conversation.ids(kind).fetch());
    }

    fn list_name(&mut self, channel: &ChannelId, list: &str) {
        self.list.clear();
        self.list.push_str(channel.as_str());
        self.list.push_str(list);
    }

    fn read_list<T>(
        &mut self,
        (from, until): (u64, u64),
        decode: impl Fn(&[u8]) -> Option<T>,
        damaged: &'static str,
    ) -> Result<Vec<T>, WorkError> {
        let mut read = Vec::new();
        let mut next = from;
        let mut good = true;
        self.lists.read(&self.list, from, until, CHUNK_RECORDS, CHUNK_BYTES, &mut |index, bytes| {
            good &= index == next;
            next += 1;
            match decode(bytes) {
                Some(record) => read.push(record),
                None => good = false,
            }
        })?;
        if !good || (read.is_empty() && from < until) {
            let reason = format!("list {} at {from}: {damaged}", self.list);
            return Err(StoreError::Damaged { reason }.into());
        }
        Ok(read)
    }
}

/// The key of a conversation; the shared channel's id is its number.
fn append_key(keys: &mut Vec<u8>, channel: &[u8], customer: &Customer) {
    keys.extend_from_slice(channel);
    keys.push(b'/');
    keys.extend_from_slice(customer.as_bytes());
}

const CONVERSATION_LIST: &str = "/conversations";
const ENTRY_LIST: &str = "/entries";

impl Memory for Recall {
    type Error = WorkError;

    fn conversation(&mut self, channel: &ChannelId, customer: &Customer) -> Result<&Conversation, WorkError> {
        self.conversation_key(channel, customer);
        Ok(self.conversations.read(&self.key)?)
    }

    fn conversation_mut(&mut self, channel: &ChannelId, customer: &Customer) -> Result<&mut Conversation, WorkError> {
        self.conversation_key(channel, customer);
        Ok(self.conversations.write(&self.key)?)
    }

    fn kept_ids(&mut self, channel: &ChannelId, customer: &Customer, kind: IdKind) -> Result<Vec<IdHash>, WorkError> {
        self.conversation_key(channel, customer);
        let Some(stored) = self.conversations.stored(&self.key)? else { return Ok(Vec::new()) };
        let damaged =
            |damaged| StoreError::Damaged { reason: format!("the conversation {customer} of {channel}: {damaged}") };
        Ok(codec::kept_ids(&stored, kind).map_err(damaged)?)
    }

    fn append_conversation(&mut self, channel: &ChannelId, index: u64, customer: &Customer) -> Result<(), WorkError> {
        self.list_name(channel, CONVERSATION_LIST);
        Ok(self.lists.append(&self.list, index, customer.as_bytes())?)
    }

    fn append_entry(&mut self, channel: &ChannelId, index: u64, entry: &Entry) -> Result<(), WorkError> {
        self.list_name(channel, ENTRY_LIST);
        self.bytes.clear();
        codec::encode_entry(entry, &mut self.bytes);
        Ok(self.lists.append(&self.list, index, &self.bytes)?)
    }

    fn conversations(&mut self, channel: &ChannelId, from: u64, until: u64) -> Result<Vec<Customer>, WorkError> {
        self.list_name(channel, CONVERSATION_LIST);
        let decode = |bytes: &[u8]| Customer::new(std::str::from_utf8(bytes).ok()?).ok();
        self.read_list((from, until), decode, "no customer")
    }

    fn entries(&mut self, channel: &ChannelId, from: u64, until: u64) -> Result<Vec<Entry>, WorkError> {
        self.list_name(channel, ENTRY_LIST);
        self.read_list((from, until), |bytes| codec::decode_entry(bytes).ok(), "no entry")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_had_a_service_are_kept() {
        assert!(!(NUMBERS.keep)(&Number::default()));
        let member = partyline_ledger::Member {
            service: partyline_ledger::Service::new("desk").unwrap(),
            display_others: partyline_ledger::Visibility::Masked,
            share_own: partyline_ledger::Visibility::Full,
            place: partyline_ledger::Place::Nowhere,
            isolated: partyline_ledger::Lengths::default(),
        };
        assert!((NUMBERS.keep)(&Number { members: vec![member], ..Number::default() }));
    }
}
