//! Real dialogues as commands: several numbers, on each several dialogues at a time, and around them what an office
//! does: it subscribes when it is needed, picks up, hands over, leaves, comes back, changes its mind and sends twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{Dialogue, Turn, command, content};

const DIALOGUES_AT_ONCE: usize = 6;
const SERVICES_A_NUMBER: usize = 6;
/// Beyond so many turns services come and go more rarely, as each time a whole history may be published again.
const LONG_TURNS: usize = 1_500;
const RECENT_COMMANDS: usize = 60;
const AGENTS: [&str; 4] = ["mia", "ravi", "chen@example.org", "ops:night-1"];
const SENT_FROM_MS: i64 = 1_767_225_600_000;

/// The dialogues as commands, spread over so many numbers. About 1.2 commands a turn.
pub fn from_dialogues(dialogues: &[Dialogue], seed: u64, numbers: usize) -> Vec<Value> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut offices: Vec<Office<'_>> = (0..numbers.max(1)).map(Office::new).collect();
    let mut shuffled: Vec<&Dialogue> = dialogues.iter().collect();
    shuffled.shuffle(&mut rng);
    for dialogue in shuffled {
        let place = rng.random_range(0..offices.len());
        offices[place].turns += dialogue.turns.len();
        offices[place].waiting.push_back(dialogue);
    }
    let mut commands = Vec::new();
    while !offices.is_empty() {
        let place = rng.random_range(0..offices.len());
        if !offices[place].step(&mut rng, &mut commands) {
            offices.swap_remove(place);
        }
    }
    commands
}

/// A number and the dialogues on it.
struct Office<'a> {
    number: String,
    waiting: VecDeque<&'a Dialogue>,
    /// How many turns all its dialogues have.
    turns: usize,
    open: Vec<Open<'a>>,
    /// The data set's services and the names that they have here.
    names: BTreeMap<String, String>,
    connected: BTreeSet<String>,
    /// About how many entries each customer's conversation has.
    lengths: BTreeMap<String, u64>,
    recent: VecDeque<Value>,
    commands: u64,
}

/// A dialogue under way.
struct Open<'a> {
    customer: String,
    turns: &'a [Turn],
    agent: &'static str,
    /// Who answered last.
    service: String,
}

impl<'a> Office<'a> {
    fn new(place: usize) -> Self {
        Self {
            number: format!("+4930{:07}", 1_000_000 + place),
            waiting: VecDeque::new(),
            turns: 0,
            open: Vec::new(),
            names: BTreeMap::new(),
            connected: BTreeSet::new(),
            lengths: BTreeMap::new(),
            recent: VecDeque::new(),
            commands: 0,
        }
    }

    /// One turn of one dialogue, with what goes before it. False if there is none left.
    fn step(&mut self, rng: &mut ChaCha8Rng, out: &mut Vec<Value>) -> bool {
        while self.open.len() < DIALOGUES_AT_ONCE {
            let Some(dialogue) = self.waiting.pop_front() else { break };
            let customer = self.customer(rng, dialogue);
            let agent = AGENTS.choose(rng).copied().unwrap_or_default();
            self.open.push(Open { customer, turns: &dialogue.turns, agent, service: String::new() });
        }
        if self.open.is_empty() {
            return false;
        }
        self.disturb(rng, out);
        let place = rng.random_range(0..self.open.len());
        let mut open = self.open.swap_remove(place);
        if let Some((turn, rest)) = open.turns.split_first() {
            open.turns = rest;
            self.turn(rng, out, &mut open, turn);
            self.open.push(open);
        }
        true
    }

    fn turn(&mut self, rng: &mut ChaCha8Rng, out: &mut Vec<Value>, open: &mut Open<'_>, turn: &Turn) {
        let service = self.name(turn.services.choose(rng).map_or("desk", String::as_str));
        if !self.connected.contains(&service) && rng.random_ratio(19, 20) {
            self.subscribe(rng, out, &service, "BUNDLE");
        }
        let length = self.lengths.get(&open.customer).copied().unwrap_or_default();
        *self.lengths.entry(open.customer.clone()).or_default() += 1;
        let content = if rng.random_ratio(1, 30) { content::any(rng) } else { json!({"text": turn.text}) };
        if turn.by_customer {
            let sent_at_ms = SENT_FROM_MS + 1_000 * (out.len() as i64);
            let message_id = format!("wamid.HBgN{:020X}=", rng.random::<u64>());
            let body = json!({"customer": open.customer, "message_id": message_id, "sent_at_ms": sent_at_ms, "content": content});
            self.send(out, "message", body);
            return;
        }
        let moved = !open.service.is_empty() && open.service != service;
        if moved || rng.random_ratio(1, 15) {
            self.hand_over(rng, out, open, &service);
        }
        open.service.clone_from(&service);
        let seen_seq = match rng.random_range(0..10) {
            0..3 => 0,
            3..8 => length,
            _ => rng.random_range(0..=length),
        };
        let origin = match rng.random_range(0..40) {
            0..4 => "BOT",
            4 => "AUTO_REPLY",
            5 => "WORKFLOW",
            6 => "NOTIFICATION",
            _ => "AGENT",
        };
        let agent = if origin == "BOT" { "" } else { open.agent };
        let body = json!({"service": service, "agent": agent, "customer": open.customer, "origin": origin, "content": content, "seen_seq": seen_seq});
        self.send(out, "reply", body);
    }

    /// The last service may let go; the next one picks up, sometimes over the other's head.
    fn hand_over(&mut self, rng: &mut ChaCha8Rng, out: &mut Vec<Value>, open: &mut Open<'_>, service: &str) {
        if !open.service.is_empty() && rng.random_ratio(1, 3) {
            let body =
                json!({"service": open.service, "agent": open.agent, "customer": open.customer, "release": true});
            self.send(out, "pickup", body);
        }
        if rng.random_ratio(1, 3) {
            open.agent = AGENTS.choose(rng).copied().unwrap_or_default();
        }
        if rng.random_ratio(2, 3) {
            let hold_for_s = [0, 60, 600, 3_600].choose(rng).copied().unwrap_or_default();
            let body = json!({"service": service, "agent": open.agent, "customer": open.customer, "hold_for_s": hold_for_s, "take_over": rng.random_bool(0.5)});
            self.send(out, "pickup", body);
        }
    }

    /// What happens to a number now and then, whatever is being said.
    fn disturb(&mut self, rng: &mut ChaCha8Rng, out: &mut Vec<Value>) {
        let services: Vec<String> = self.names.values().cloned().collect();
        let Some(service) = services.choose(rng).cloned() else { return };
        let calm = rng.random_range(0..self.turns.max(LONG_TURNS)) >= LONG_TURNS;
        match rng.random_range(0..1_000) {
            0..10 if calm => {}
            0..3 => {
                self.connected.remove(&service);
                self.send(out, "unsubscribe", json!({"service": service}));
            }
            3..7 => self.subscribe(rng, out, &service, "BUNDLE"),
            7 => self.subscribe(rng, out, &service, "STANDALONE"),
            8 => self.subscribe(rng, out, &service, "UPGRADED_PORTAL"),
            9 => self.send(out, "republish", json!({"service": service})),
            10..30 => out.extend(self.recent.iter().collect::<Vec<_>>().choose(rng).map(|again| (*again).clone())),
            _ => {}
        }
    }

    fn subscribe(&mut self, rng: &mut ChaCha8Rng, out: &mut Vec<Value>, service: &str, licence: &str) {
        let settings = ["FULL", "FULL", "MASKED"];
        let mut body = json!({"service": service, "licence": licence});
        if rng.random_ratio(3, 4) {
            body["display_others"] = json!(settings.choose(rng));
            body["share_own"] = json!(settings.choose(rng));
        }
        self.connected.insert(service.to_owned());
        self.send(out, "subscribe", body);
    }

    fn send(&mut self, out: &mut Vec<Value>, action: &str, body: Value) {
        self.commands += 1;
        let command = command(&format!("c-{}", self.commands), &self.number, action, body);
        self.recent.push_back(command.clone());
        if self.recent.len() > RECENT_COMMANDS {
            self.recent.pop_front();
        }
        out.push(command);
    }

    /// A service's name on this number. When there are enough, others share those.
    fn name(&mut self, data_set_name: &str) -> String {
        if let Some(name) = self.names.get(data_set_name) {
            return name.clone();
        }
        let services: BTreeSet<String> = self.names.values().cloned().collect();
        let name = match services.iter().nth(self.names.len() % SERVICES_A_NUMBER) {
            Some(name) if services.len() >= SERVICES_A_NUMBER => name.clone(),
            _ => service_name(data_set_name),
        };
        self.names.insert(data_set_name.to_owned(), name.clone());
        name
    }

    /// Most dialogues are of a customer of their own; some are of one who was here before.
    fn customer(&self, rng: &mut ChaCha8Rng, dialogue: &Dialogue) -> String {
        if rng.random_ratio(1, 10)
            && let Some(known) = self.lengths.keys().collect::<Vec<_>>().choose(rng)
        {
            return (*known).clone();
        }
        let digits: String = dialogue.id.chars().filter(char::is_ascii_digit).collect();
        if rng.random_bool(0.5) { format!("+4915{digits}") } else { format!("DE.{digits}") }
    }
}

/// `RideSharing_1` becomes `ridesharing-1`.
fn service_name(data_set_name: &str) -> String {
    let lower = data_set_name.to_ascii_lowercase();
    let name: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(32).collect();
    if name.starts_with(|c: char| c.is_ascii_lowercase()) { name } else { "other".to_owned() }
}
