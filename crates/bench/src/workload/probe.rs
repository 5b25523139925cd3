//! Messages on a few numbers of their own, spread evenly: each brings one row to every service that has its number.

use super::{Key, Next, Source, encode};

/// What every message says.
const TEXT: &str = "Hello, I would like to know when my parcel arrives. It was sent last week on Monday.";

/// An endless source of messages.
pub struct Probe {
    numbers: Vec<Key>,
    conversations: u64,
    made: u64,
    action: Vec<u8>,
}

impl Probe {
    /// On these numbers, each with so many conversations.
    pub fn new(numbers: Vec<Key>, conversations: u64) -> Self {
        Self { numbers, conversations: conversations.max(1), made: 0, action: Vec::new() }
    }
}

impl Source for Probe {
    fn next_at(&mut self, at: u64, value: &mut Vec<u8>) -> Next {
        let count = self.numbers.len().max(1) as u64;
        let number = self.numbers.get((self.made % count) as usize).cloned().unwrap_or_default();
        let conversation = self.made / count % self.conversations;
        self.made += 1;
        self.action.clear();
        let mut content = Vec::with_capacity(TEXT.len() + 2);
        encode::text(&mut content, 1, TEXT);
        encode::text(&mut self.action, 1, &format!("+49152{conversation:08}"));
        encode::text(&mut self.action, 2, &format!("wamid.{number}.{:016}", self.made));
        encode::number(&mut self.action, 3, at);
        encode::bytes(&mut self.action, 4, &content);
        head(value, &format!("p-{:012}", self.made), &number);
        encode::bytes(value, encode::MESSAGE, &self.action);
        Next { key: number, shows: true }
    }
}

/// A source of one command: a service joins a number.
pub struct Join {
    /// Which number.
    pub number: Key,
    /// Who joins it.
    pub service: &'static str,
}

impl Source for Join {
    fn next_at(&mut self, _: u64, value: &mut Vec<u8>) -> Next {
        Next { key: subscribe(&self.number, self.service, value), shows: false }
    }
}

/// Appends the command by which a service joins a number.
pub fn subscribe(number: &Key, service: &str, value: &mut Vec<u8>) -> Key {
    let mut action = Vec::new();
    encode::text(&mut action, 1, service);
    head(value, &format!("join-{service}"), number);
    encode::bytes(value, encode::SUBSCRIBE, &action);
    number.clone()
}

fn head(value: &mut Vec<u8>, id: &str, number: &str) {
    encode::text(value, 1, id);
    encode::text(value, 2, number);
}
