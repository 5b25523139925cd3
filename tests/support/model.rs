//! The real ledger and codecs, with a memory of plain maps: the rules alone, at any log time.

use std::{collections::BTreeMap, convert::Infallible};

use partyline_ledger::{
    Addressed, At, ChannelId, Command, Conversation, Customer, Entry, IdHash, IdKind, Memory, Number, Outcome, apply,
};
use partyline_wire::{Cause, Placed, decode_command, encode_row, row_key, state};

/// Numbers and what they remember.
#[derive(Default)]
pub struct Model {
    numbers: BTreeMap<String, Number>,
    maps: Maps,
}

/// What one command did: its outcome (`None` if it is invalid), and each service's rows of it: key and value.
pub struct Did {
    /// Whether it was accepted.
    pub outcome: Option<Outcome>,
    /// By service.
    pub rows: BTreeMap<String, Vec<(String, Vec<u8>)>>,
}

impl Model {
    /// Applies an encoded command of partition 0.
    pub fn apply(&mut self, key: &str, value: &[u8], offset: u64, at_ms: i64) -> Did {
        let mut did = Did { outcome: None, rows: BTreeMap::new() };
        let placed = Placed { partition: 0, partitions: 1 };
        if let Ok(command) = decode_command(Some(key.as_bytes()), Some(value), placed) {
            self.apply_valid(&command, At { offset, time_ms: at_ms }, &mut did);
        }
        did
    }

    fn apply_valid(&mut self, command: &Command, at: At, did: &mut Did) {
        // A store forgets them, too.
        self.maps.conversations.retain(|_, conversation| conversation.opened);
        let number = self.numbers.entry(command.number.to_string()).or_default();
        let Ok(applied) = apply(number, &mut self.maps, command, at);
        did.outcome = Some(applied.outcome);
        did.take(number, &applied.rows, at);
        let mut retelling = applied.retelling.unwrap_or_default();
        while !retelling.is_empty() {
            let Ok(rows) = retelling.next(&command.number, number, &mut self.maps);
            did.take(number, &rows, at);
        }
        assert_survives_its_encoding(number);
    }
}

impl Did {
    fn take(&mut self, number: &Number, rows: &[Addressed], at: At) {
        for Addressed { to, row } in rows {
            for ix in to.iter() {
                let rows = self.rows.entry(number.member(ix).unwrap().service.to_string()).or_default();
                let (mut key, mut value) = (Vec::new(), Vec::new());
                row_key(&mut key, row);
                let index = u32::try_from(rows.len()).unwrap();
                encode_row(&mut value, row, Cause { partition: 0, offset: at.offset, index });
                rows.push((String::from_utf8(key).unwrap(), value));
            }
        }
    }
}

fn assert_survives_its_encoding(number: &Number) {
    // A store keeps no number that nobody ever subscribed to.
    assert!(!number.members.is_empty() || *number == Number::default(), "{number:?}");
    let mut bytes = Vec::new();
    state::encode_number(number, &mut bytes);
    assert_eq!(state::decode_number(&bytes).as_ref(), Ok(number));
}

#[derive(Default)]
struct Maps {
    conversations: BTreeMap<(ChannelId, String), Conversation>,
    /// What checkpoints would have of them.
    kept: BTreeMap<(ChannelId, String), Vec<u8>>,
    looks: u64,
    lists: BTreeMap<ChannelId, (Vec<Customer>, Vec<Entry>)>,
}

/// Small, so that every history takes several chunks.
const CHUNK: usize = 3;

fn chunk<T: Clone>(list: Option<&Vec<T>>, from: u64, until: u64) -> Vec<T> {
    let range = usize::try_from(from).unwrap()..usize::try_from(until).unwrap();
    list.unwrap()[range].iter().take(CHUNK).cloned().collect()
}

impl Memory for Maps {
    type Error = Infallible;

    fn conversation(&mut self, channel: &ChannelId, customer: &Customer) -> Result<&Conversation, Infallible> {
        self.conversation_mut(channel, customer).map(|conversation| &*conversation)
    }

    fn conversation_mut(&mut self, channel: &ChannelId, customer: &Customer) -> Result<&mut Conversation, Infallible> {
        let id = (channel.clone(), customer.to_string());
        let mut bytes = self.kept.get(&id).cloned().unwrap_or_default();
        let conversation = self.conversations.entry(id.clone()).or_default();
        state::encode_conversation(conversation, &mut bytes);
        assert_eq!(state::decode_conversation(&bytes).as_ref(), Ok(&*conversation));
        // Every third time, as if there had been a checkpoint.
        self.looks += 1;
        if self.looks.is_multiple_of(3) && conversation.opened {
            self.kept.insert(id, state::join_conversation(&bytes).unwrap());
            conversation.kept();
        }
        Ok(conversation)
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
        let mut bytes = Vec::new();
        state::encode_entry(entry, &mut bytes);
        assert_eq!(state::decode_entry(&bytes).as_ref(), Ok(entry));
        list.push(entry.clone());
        Ok(())
    }

    fn conversations(&mut self, channel: &ChannelId, from: u64, until: u64) -> Result<Vec<Customer>, Infallible> {
        Ok(chunk(self.lists.get(channel).map(|lists| &lists.0), from, until))
    }

    fn entries(&mut self, channel: &ChannelId, from: u64, until: u64) -> Result<Vec<Entry>, Infallible> {
        Ok(chunk(self.lists.get(channel).map(|lists| &lists.1), from, until))
    }
}
