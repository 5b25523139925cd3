//! A ledger whose whole state can be encoded, dropped and decoded at any point, and that tells histories in chunks of
//! any size.

use std::{collections::BTreeMap, convert::Infallible};

use partyline_ledger::{
    Addressed, At, ChannelId, Command, Conversation, Customer, Entry, IdHash, IdKind, Memory, Number, Outcome, apply,
};
use partyline_tests::encode::{encode, key};
use partyline_wire::{Cause, Placed, decode_command, encode_row, row_key, state};
use serde_json::Value;

/// By service, its rows: key and value.
pub type Rows = BTreeMap<String, Vec<(Vec<u8>, Vec<u8>)>>;

/// Numbers and what they remember.
pub struct Frozen {
    pub chunk: usize,
    numbers: BTreeMap<String, Number>,
    conversations: BTreeMap<(ChannelId, String), Conversation>,
    /// As they were before it was thawed.
    kept: BTreeMap<(ChannelId, String), Vec<u8>>,
    lists: BTreeMap<ChannelId, (Vec<Customer>, Vec<Entry>)>,
}

/// The encoding of everything, part by part.
#[derive(Debug, PartialEq, Eq)]
pub struct Bytes {
    numbers: BTreeMap<String, Vec<u8>>,
    conversations: BTreeMap<(ChannelId, String), Vec<u8>>,
    lists: BTreeMap<ChannelId, (Vec<Customer>, Vec<Vec<u8>>)>,
}

impl Frozen {
    pub fn new(chunk: usize) -> Self {
        Self {
            chunk,
            numbers: BTreeMap::new(),
            conversations: BTreeMap::new(),
            kept: BTreeMap::new(),
            lists: BTreeMap::new(),
        }
    }

    /// Applies one command.
    pub fn apply(&mut self, command: &Value, offset: u64, time_ms: i64) -> (Outcome, Rows) {
        let placed = Placed { partition: 0, partitions: 1 };
        let command = decode_command(Some(key(command).as_bytes()), Some(&encode(command)), placed).unwrap();
        // One that stayed unopened need not be kept.
        self.conversations.retain(|_, known| known.opened);
        let mut number = self.numbers.remove(command.number.as_str()).unwrap_or_default();
        let done = self.apply_to(&mut number, &command, At { offset, time_ms });
        self.numbers.insert(command.number.to_string(), number);
        done
    }

    fn apply_to(&mut self, number: &mut Number, command: &Command, at: At) -> (Outcome, Rows) {
        let mut rows = Rows::new();
        let Ok(applied) = apply(number, self, command, at);
        take(&mut rows, number, &applied.rows, at);
        let mut retelling = applied.retelling.unwrap_or_default();
        while !retelling.is_empty() {
            let Ok(more) = retelling.next(&command.number, number, self);
            assert!(more.len() <= self.chunk * 3, "a chunk is bounded");
            take(&mut rows, number, &more, at);
        }
        (applied.outcome, rows)
    }

    /// The encoding of everything that must be kept.
    pub fn freeze(&self) -> Bytes {
        let encoded = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            write(&mut bytes);
            bytes
        };
        let opened = self.conversations.iter().filter(|(_, conversation)| conversation.opened);
        Bytes {
            numbers: self
                .numbers
                .iter()
                .filter(|(_, number)| **number != Number::default())
                .map(|(name, number)| (name.clone(), encoded(&|bytes| state::encode_number(number, bytes))))
                .collect(),
            conversations: opened
                .map(|(id, known)| {
                    let mut bytes = self.kept.get(id).cloned().unwrap_or_default();
                    state::encode_conversation(known, &mut bytes);
                    (id.clone(), state::join_conversation(&bytes).unwrap())
                })
                .collect(),
            lists: self
                .lists
                .iter()
                .map(|(channel, (customers, entries))| {
                    let entries = entries.iter().map(|entry| encoded(&|bytes| state::encode_entry(entry, bytes)));
                    (channel.clone(), (customers.clone(), entries.collect()))
                })
                .collect(),
        }
    }

    /// A ledger that goes on from there.
    pub fn thaw(chunk: usize, bytes: &Bytes) -> Self {
        Self {
            chunk,
            numbers: bytes
                .numbers
                .iter()
                .map(|(name, bytes)| (name.clone(), state::decode_number(bytes).unwrap()))
                .collect(),
            conversations: bytes
                .conversations
                .iter()
                .map(|(id, bytes)| (id.clone(), state::decode_conversation(bytes).unwrap()))
                .collect(),
            kept: bytes.conversations.clone(),
            lists: bytes
                .lists
                .iter()
                .map(|(channel, (customers, entries))| {
                    let entries = entries.iter().map(|bytes| state::decode_entry(bytes).unwrap());
                    (channel.clone(), (customers.clone(), entries.collect()))
                })
                .collect(),
        }
    }
}

fn take(rows: &mut Rows, number: &Number, addressed: &[Addressed], at: At) {
    for Addressed { to, row } in addressed {
        for ix in to.iter() {
            let rows = rows.entry(number.member(ix).unwrap().service.to_string()).or_default();
            let (mut key, mut value) = (Vec::new(), Vec::new());
            row_key(&mut key, row);
            let index = u32::try_from(rows.len()).unwrap();
            encode_row(&mut value, row, Cause { partition: 0, offset: at.offset, index });
            rows.push((key, value));
        }
    }
}

impl Memory for Frozen {
    type Error = Infallible;

    fn conversation(&mut self, channel: &ChannelId, customer: &Customer) -> Result<&Conversation, Infallible> {
        self.conversation_mut(channel, customer).map(|conversation| &*conversation)
    }

    fn conversation_mut(&mut self, channel: &ChannelId, customer: &Customer) -> Result<&mut Conversation, Infallible> {
        Ok(self.conversations.entry((channel.clone(), customer.to_string())).or_default())
    }

    fn kept_ids(&mut self, channel: &ChannelId, customer: &Customer, kind: IdKind) -> Result<Vec<IdHash>, Infallible> {
        let kept = self.kept.get(&(channel.clone(), customer.to_string())).map_or(&[][..], Vec::as_slice);
        Ok(state::kept_ids(kept, kind).unwrap())
    }

    fn append_conversation(&mut self, channel: &ChannelId, index: u64, customer: &Customer) -> Result<(), Infallible> {
        let list = &mut self.lists.entry(channel.clone()).or_default().0;
        assert_eq!(list.len() as u64, index);
        list.push(customer.clone());
        Ok(())
    }

    fn append_entry(&mut self, channel: &ChannelId, index: u64, entry: &Entry) -> Result<(), Infallible> {
        let list = &mut self.lists.entry(channel.clone()).or_default().1;
        assert_eq!(list.len() as u64, index);
        list.push(entry.clone());
        Ok(())
    }

    fn conversations(&mut self, channel: &ChannelId, from: u64, until: u64) -> Result<Vec<Customer>, Infallible> {
        let range = usize::try_from(from).unwrap()..usize::try_from(until).unwrap();
        Ok(self.lists[channel].0[range].iter().take(self.chunk).cloned().collect())
    }

    fn entries(&mut self, channel: &ChannelId, from: u64, until: u64) -> Result<Vec<Entry>, Infallible> {
        let range = usize::try_from(from).unwrap()..usize::try_from(until).unwrap();
        Ok(self.lists[channel].1[range].iter().take(self.chunk).cloned().collect())
    }
}
