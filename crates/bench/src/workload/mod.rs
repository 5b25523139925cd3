//! Seeded commands as a busy company would send them: a few conversations get most of what is said (Zipf, s = 1), half
//! of it by customers, the rest mostly by agents who have the conversation in hand.
//!
//! About 50 % messages, 44 % replies (one in twenty a bot's), 5 % pickups, 1 % subscriptions; those repeat what holds
//! already, as a nightly job would. Each number has 3 to 5 of 5 services. Texts are from real dialogues.

mod encode;
mod probe;
mod talk;
mod texts;
mod zipf;

use std::{fmt::Write as _, sync::Arc};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::args;
use talk::Talk;
use zipf::Zipf;

pub use probe::{Join, Probe, subscribe};
pub use texts::texts;

/// A record's key: the business number.
pub type Key = Arc<str>;

/// All services that there are.
pub const SERVICES: [&str; 5] = ["desk", "crm", "campaigns", "social", "sign"];
/// How each shows others' replies, and whether others may show its own in full.
const SETTINGS: [(u64, u64); 5] =
    [(encode::MASKED, encode::FULL), (encode::FULL, encode::FULL), (0, 0), (encode::FULL, encode::MASKED), (0, 0)];

/// Whose view shows when a command came through: the first of [`SERVICES`].
pub const READER: &str = SERVICES[0];
/// The time of commands that nobody looks for.
const LONG_AGO_MS: u64 = 1_767_225_600_000;

/// An endless source of commands.
pub trait Source {
    /// Appends a command to `value` that says it was sent at `at`.
    fn next_at(&mut self, at: u64, value: &mut Vec<u8>) -> Next;
}

/// The next command.
pub struct Next {
    /// Its key.
    pub key: Key,
    /// Whether it brings [`READER`] one row with its time.
    pub shows: bool,
}

/// Commands of a busy company.
pub struct Workload {
    random: ChaCha8Rng,
    texts: Vec<String>,
    numbers: Vec<Number>,
    talks: Vec<Talk>,
    zipf: Zipf,
    made: u64,
    at: u64,
    shows: bool,
    id: String,
    wamid: String,
    action: Vec<u8>,
    content: Vec<u8>,
}

/// A business number.
struct Number {
    name: Key,
    /// Indexes into [`SERVICES`]; the first is the parent.
    services: Vec<usize>,
    subscribed: usize,
}

impl Workload {
    /// The same commands for the same arguments and texts.
    pub fn new(args: &args::Mix, texts: Vec<String>) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(args.seed);
        let numbers: Vec<Number> = (0..args.numbers).map(|ix| Number::new(ix, &mut random)).collect();
        let talks = (0..args.conversations).map(|ix| {
            let number = ix % args.numbers;
            let services = numbers.get(number as usize).map_or(1, |number| number.services.len());
            Talk::new(ix, number, services, &mut random)
        });
        Self {
            talks: talks.collect(),
            zipf: Zipf::new(args.conversations as usize),
            random,
            texts,
            numbers,
            made: 0,
            at: 0,
            shows: false,
            id: String::new(),
            wamid: String::new(),
            action: Vec::new(),
            content: Vec::new(),
        }
    }

    /// How many commands at the beginning are subscriptions.
    pub fn opening(&self) -> u64 {
        (self.numbers.len() * SERVICES.len()) as u64
    }

    /// Appends the next command to `value` and says which business number is its key.
    pub fn next(&mut self, value: &mut Vec<u8>) -> Key {
        self.next_at(LONG_AGO_MS + self.made, value).key
    }

    fn make(&mut self, value: &mut Vec<u8>) -> Key {
        self.made += 1;
        self.shows = false;
        self.id.clear();
        let nonce: u32 = self.random.random();
        let _ = write!(self.id, "c-{:09}-{nonce:08x}", self.made);
        self.action.clear();
        let connecting = (self.made as usize - 1) / SERVICES.len();
        let (tag, number) = if connecting < self.numbers.len() {
            (encode::SUBSCRIBE, self.connect(connecting))
        } else {
            let drawn = self.zipf.draw(&mut self.random);
            match self.random.random_range(0..100) {
                0..50 => self.message(drawn),
                50..94 => self.reply(drawn),
                94..99 => self.pickup(drawn),
                _ => (encode::SUBSCRIBE, self.connect(drawn % self.numbers.len())),
            }
        };
        let name = self.numbers.get(number).map_or_else(|| Arc::from(""), |number| Arc::clone(&number.name));
        encode::text(value, 1, &self.id);
        encode::text(value, 2, &name);
        encode::number(value, 3, self.at);
        encode::bytes(value, tag, &self.action);
        name
    }

    /// The number's next service subscribes, for the first time or as before.
    fn connect(&mut self, number: usize) -> usize {
        if let Some(Number { services, subscribed, .. }) = self.numbers.get_mut(number) {
            let service = services.get(*subscribed % services.len().max(1)).copied().unwrap_or_default();
            *subscribed += 1;
            let (display_others, share_own) = SETTINGS[service];
            encode::text(&mut self.action, 1, SERVICES[service]);
            encode::number(&mut self.action, 4, display_others);
            encode::number(&mut self.action, 5, share_own);
        }
        number
    }

    fn message(&mut self, drawn: usize) -> (u32, usize) {
        self.say();
        let Some(talk) = self.talks.get_mut(drawn) else { return (encode::MESSAGE, 0) };
        self.wamid.clear();
        let (high, low): (u64, u32) = self.random.random();
        let _ = write!(self.wamid, "wamid.{high:016X}{low:08X}");
        encode::text(&mut self.action, 1, &talk.customer);
        encode::text(&mut self.action, 2, &self.wamid);
        encode::number(&mut self.action, 3, self.at);
        encode::bytes(&mut self.action, 4, &self.content);
        talk.entries += 1;
        self.shows = self.numbers.get(talk.number as usize).is_some_and(|number| number.services.contains(&0));
        (encode::MESSAGE, talk.number as usize)
    }

    fn reply(&mut self, drawn: usize) -> (u32, usize) {
        self.say();
        let Some(talk) = self.talks.get_mut(drawn) else { return (encode::REPLY, 0) };
        let Some(Number { services, .. }) = self.numbers.get(talk.number as usize) else { return (encode::REPLY, 0) };
        let bot = self.random.random_range(0..20) == 0;
        let (service, agent) = if bot { (0, 0) } else { talk.answers(services.len(), &mut self.random) };
        encode::text(&mut self.action, 1, SERVICES[services.get(service).copied().unwrap_or_default()]);
        if !bot {
            encode::text(&mut self.action, 2, talk::AGENTS[agent]);
        }
        encode::text(&mut self.action, 3, &talk.customer);
        encode::number(&mut self.action, 4, if bot { encode::BOT } else { 0 });
        encode::bytes(&mut self.action, 5, &self.content);
        // One in four clients says what was on screen, and it is nearly always everything.
        if !bot && self.random.random_range(0..4) == 0 {
            encode::number(&mut self.action, 6, talk.entries);
        }
        talk.entries += u64::from(!bot || !talk.picked_up);
        talk.picked_up |= !bot;
        (encode::REPLY, talk.number as usize)
    }

    fn pickup(&mut self, drawn: usize) -> (u32, usize) {
        let Some(talk) = self.talks.get_mut(drawn) else { return (encode::PICKUP, 0) };
        let Some(Number { services, .. }) = self.numbers.get(talk.number as usize) else { return (encode::PICKUP, 0) };
        let (service, agent) = talk.answers(services.len(), &mut self.random);
        encode::text(&mut self.action, 1, SERVICES[services.get(service).copied().unwrap_or_default()]);
        encode::text(&mut self.action, 2, talk::AGENTS[agent]);
        encode::text(&mut self.action, 3, &talk.customer);
        encode::number(&mut self.action, 4, 1_800);
        talk.picked_up = true;
        (encode::PICKUP, talk.number as usize)
    }

    /// Fills `content` with the next text.
    fn say(&mut self) {
        self.content.clear();
        let at = self.random.random_range(0..self.texts.len().max(1));
        encode::text(&mut self.content, 1, self.texts.get(at).map_or("ok", String::as_str));
    }
}

impl Source for Workload {
    fn next_at(&mut self, at: u64, value: &mut Vec<u8>) -> Next {
        self.at = at;
        let key = self.make(value);
        Next { key, shows: self.shows }
    }
}

impl Number {
    fn new(ix: u32, random: &mut ChaCha8Rng) -> Self {
        let count = random.random_range(3..=SERVICES.len());
        let first = random.random_range(0..SERVICES.len());
        let services = (first..first + count).map(|service| service % SERVICES.len()).collect();
        Self { name: Arc::from(format!("+49301{ix:06}")), services, subscribed: 0 }
    }
}

#[cfg(test)]
mod tests {
    use partyline_ledger::Action;
    use partyline_wire::{Placed, decode_command};

    use super::*;

    #[test]
    fn every_command_is_valid_and_the_mix_is_right() {
        let args = args::Mix { partitions: 4, numbers: 64, conversations: 1_000, seed: 7 };
        let mut workload = Workload::new(&args, vec!["Where is my parcel?".to_owned()]);
        let (mut messages, mut replies, mut pickups, mut subscriptions) = (0, 0, 0, 0);
        let mut value = Vec::new();
        for _ in 0..20_000 {
            value.clear();
            let key = workload.next(&mut value);
            let partition = partyline_wire::partition_of(key.as_bytes(), 4);
            let placed = Placed { partition, partitions: 4 };
            let command = decode_command(Some(key.as_bytes()), Some(&value), placed).unwrap();
            *match command.action {
                Action::Message(_) => &mut messages,
                Action::Reply(_) => &mut replies,
                Action::Pickup(_) => &mut pickups,
                _ => &mut subscriptions,
            } += 1;
        }
        let counts = [messages, replies, pickups, subscriptions];
        let expected = [9_850, 8_650, 980, 500];
        for (count, expected) in counts.into_iter().zip(expected) {
            assert!((expected * 9 / 10..expected * 11 / 10).contains(&count), "{counts:?}");
        }
    }
}
