//! The state of one log partition: what the ledger remembers, in a store.

use std::path::Path;

use partyline_ledger::{ChannelId, Conversation, Customer, Entry, Memory, Number};
use partyline_store::{Codec, Identity, Journal, Options, Store, StoreError, Table};
use partyline_wire::state as codec;

use crate::WorkError;

/// A chunk of history takes at most this many records ...
const CHUNK_RECORDS: usize = 1_000;
/// ... and no more once it has this many bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// What is known after the commands below `next_offset`.
pub(crate) struct PartitionState {
    store: Store,
    pub numbers: Table<Number>,
    pub memory: Recall,
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
    /// Opens the store in `dir`; one that is in doubt is moved aside, and the state begins at 0.
    pub fn open(dir: &Path, identity: &Identity, options: Options) -> Result<Self, WorkError> {
        let opened = Store::open(dir, identity, options)?;
        if let Some(aside) = opened.moved_aside {
            tracing::warn!(path = %aside.path.display(), reason = %aside.reason, "a store in doubt was moved aside");
        }
        let store = opened.store;
        let numbers = store.table("numbers", NUMBERS)?;
        let memory = Recall {
            conversations: store.table("conversations", CONVERSATIONS)?,
            lists: store.journal("lists")?,
            key: Vec::new(),
            list: String::new(),
            bytes: Vec::new(),
        };
        let position = store.position().and_then(StatePosition::decode).unwrap_or_default();
        Ok(Self { store, numbers, memory, position, since_checkpoint: 0 })
    }

    /// The position of the last checkpoint; `None` if there is none, or it knows of no command.
    pub fn stored(&self) -> Option<u64> {
        let position = self.store.position().and_then(StatePosition::decode)?;
        (position.next_offset > 0).then_some(position.next_offset)
    }

    /// Keeps all changes and the position. Only what is committed may be kept.
    pub fn checkpoint(&mut self) -> Result<(), WorkError> {
        let position = self.position.encode();
        let parts: &mut [&mut dyn partyline_store::Part] =
            &mut [&mut self.numbers, &mut self.memory.conversations, &mut self.memory.lists];
        self.store.checkpoint(&position, parts)?;
        self.since_checkpoint = 0;
        self.trim();
        Ok(())
    }

    /// Closes the store cleanly; changes since the last checkpoint are dropped.
    pub fn close(self) -> Result<(), WorkError> {
        let Self { store, numbers, memory, .. } = self;
        drop((numbers, memory));
        Ok(store.close()?)
    }

    /// Has the store moved aside when it is opened next.
    pub fn distrust(&self, reason: &str) {
        self.store.distrust(reason);
    }

    /// Bytes on disk.
    pub fn size_bytes(&self) -> u64 {
        self.store.size_bytes()
    }

    /// Memory that changes take.
    pub fn dirty_bytes(&self) -> usize {
        self.numbers.dirty_bytes() + self.memory.conversations.dirty_bytes() + self.memory.lists.pending_bytes()
    }

    /// Lets go of unchanged records beyond the bound.
    pub fn trim(&mut self) {
        self.numbers.trim();
        self.memory.conversations.trim();
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
    weigh: |number| 256 + number.members.len() * 96 + number.seen.len() * 16,
    keep: |_| true,
};

const CONVERSATIONS: Codec<Conversation> = Codec {
    encode: codec::encode_conversation,
    decode: |bytes| codec::decode_conversation(bytes).map_err(|damaged| damaged.to_string()),
    weigh: |conversation| 320 + (conversation.messages.len() + conversation.others.len()) * 16,
    keep: |conversation| conversation.opened,
};

impl Recall {
    fn conversation_key(&mut self, channel: &ChannelId, customer: &Customer) {
        self.key.clear();
        self.key.extend_from_slice(channel.as_str().as_bytes());
        self.key.push(b'/');
        self.key.extend_from_slice(customer.as_str().as_bytes());
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

    fn append_conversation(&mut self, channel: &ChannelId, index: u64, customer: &Customer) -> Result<(), WorkError> {
        self.list_name(channel, CONVERSATION_LIST);
        Ok(self.lists.append(&self.list, index, customer.as_str().as_bytes())?)
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
