//! A dense random mix: few numbers, customers, services and agents, so that every rule and every edge is met often.

use std::collections::BTreeMap;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{command, content};

/// The third and the fourth are as short and as long as a number may be.
const NUMBERS: [&str; 4] = ["+4930111222", "+4930111222", "+12345678", "+123456789012345"];
const CROWDED: &str = "+4930999999";
const CUSTOMERS: [&str; 5] = ["+4915155501", "+4915155501", "US.ABCdef_0:1-x", "7", LONGEST];
const SERVICES: [&str; 7] = ["desk", "crm", "marketing", "books", "a", "z9-0123456789-0123456789-0123456", "crm-2"];
const AGENTS: [&str; 4] = ["mia", "ravi", "a@b.example:1._-", LONGEST];
const PRODUCTS: [&str; 6] = ["", "", "", "desk", "campaigns", "payroll"];
/// 64 bytes.
const LONGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// One long run of distinct ids for so many commands.
const COMMANDS_A_FLOOD: usize = 2_500;
/// Beyond so many commands services come and go more rarely, as each time a whole history may be published again.
const LONG_MIX: usize = 5_000;
/// Enough commands for a number that more than 256 services come to.
const COMMANDS_A_CROWD: usize = 3_000;

/// So many commands. Each number begins with a few services subscribed.
pub fn random_mix(seed: u64, commands: usize) -> Vec<Value> {
    let mut mix = Mix {
        rng: ChaCha8Rng::seed_from_u64(seed),
        out: Vec::new(),
        entries: BTreeMap::new(),
        sent: Vec::new(),
        connected: BTreeMap::new(),
        churn: LONG_MIX * LONG_MIX / commands.max(LONG_MIX),
    };
    for number in &NUMBERS[1..] {
        mix.message(number, CUSTOMERS[0]); // nobody is there yet
        mix.send(number, "unsubscribe", json!({"service": "desk"}));
        for service in &SERVICES[..3] {
            mix.send(number, "subscribe", json!({"service": service}));
        }
    }
    if commands >= COMMANDS_A_CROWD && seed.is_multiple_of(3) {
        mix.crowd();
    }
    let mut floods = 1..=commands / COMMANDS_A_FLOOD;
    let mut next_flood = floods.next().map(|n| n * COMMANDS_A_FLOOD / 2);
    while mix.out.len() < commands {
        if next_flood.is_some_and(|due| mix.out.len() >= due) {
            mix.flood();
            next_flood = floods.next().map(|n| n * COMMANDS_A_FLOOD);
        }
        mix.one();
    }
    mix.out.truncate(commands);
    mix.out
}

struct Mix {
    rng: ChaCha8Rng,
    out: Vec<Value>,
    /// About how many entries each (number, customer) has.
    entries: BTreeMap<(String, String), u64>,
    /// About who is subscribed to each number, the parent first.
    connected: BTreeMap<String, Vec<String>>,
    /// How often services come, go and change, of `LONG_MIX`.
    churn: usize,
    /// Places in `out` of the commands that are worth sending again.
    sent: Vec<usize>,
}

impl Mix {
    fn one(&mut self) {
        let number = self.pick(&NUMBERS);
        let customer = self.pick(&CUSTOMERS);
        let service = self.pick(&SERVICES);
        match self.rng.random_range(0..1_000) {
            0..280 => self.message(number, customer),
            280..600 => self.reply(number, customer, service),
            600..800 => self.pickup(number, customer, service),
            800..880 if self.rng.random_range(0..LONG_MIX) < self.churn => self.churn(number, service),
            800..880 => self.message(number, customer),
            880..885 => self.send(number, "republish", json!({"service": "ghost"})),
            _ => self.again(),
        }
    }

    fn churn(&mut self, number: &str, service: &str) {
        match self.rng.random_range(0..20) {
            0..3 => self.send(number, "unsubscribe", json!({"service": service})),
            3 => self.send(number, "republish", json!({"service": service})),
            _ => self.subscribe(number, service),
        }
    }

    fn message(&mut self, number: &str, customer: &str) {
        let n = self.out.len();
        let mut body =
            json!({"customer": customer, "message_id": format!("wamid.{n}"), "content": content::any(&mut self.rng)});
        match self.rng.random_range(0..10) {
            0 => body["message_id"] = json!(""), // known by its command id
            1 => body["message_id"] = json!(format!("{n:0>256}")),
            2 => body["message_id"] = json!(format!("wamid.{}", self.rng.random_range(0..40))), // another's, perhaps
            3 => body["in_reply_to"] = json!(format!("wamid.{}", self.rng.random_range(0..=n))),
            _ => body["sent_at_ms"] = json!(1_767_225_600_000_i64 + n as i64 * 1_000),
        }
        self.count(number, customer);
        self.send(number, "message", body);
    }

    fn reply(&mut self, number: &str, customer: &str, service: &str) {
        let entries = self.entries.get(&(number.to_owned(), customer.to_owned())).copied().unwrap_or_default();
        let mut body = json!({"service": service, "agent": self.pick(&AGENTS), "customer": customer, "content": content::any(&mut self.rng)});
        match self.rng.random_range(0..20) {
            0 | 1 => body["origin"] = json!("BOT"),
            2 => body["origin"] = json!("AUTO_REPLY"),
            3 => body["origin"] = json!("WORKFLOW"),
            4 => body["origin"] = json!("NOTIFICATION"),
            5 => body["origin"] = json!("AGENT"),
            6 => body["in_reply_to"] = json!("x".repeat(256)),
            7..12 => body["seen_seq"] = json!(self.rng.random_range(0..=entries + 2)),
            12..15 => body["seen_seq"] = json!(entries),
            _ => {}
        }
        if body.get("origin").is_some_and(|origin| origin != "AGENT") && self.rng.random_bool(0.7) {
            body["agent"] = json!("");
        }
        let parent = self.connected.get(number).and_then(|services| services.first()).cloned();
        if body.get("origin").is_some() && parent.is_some() && self.rng.random_bool(0.6) {
            body["service"] = json!(parent);
        }
        self.count(number, customer);
        self.send(number, "reply", body);
    }

    fn pickup(&mut self, number: &str, customer: &str, service: &str) {
        let mut body = json!({"service": service, "agent": self.pick(&AGENTS), "customer": customer});
        match self.rng.random_range(0..10) {
            0..3 => body["take_over"] = json!(true),
            3..5 => body["release"] = json!(true),
            5 => body = merged(body, json!({"release": true, "take_over": true, "hold_for_s": 5})),
            _ => {}
        }
        if self.rng.random_bool(0.7) {
            body["hold_for_s"] = json!(self.pick(&[0, 1, 2, 10, 60, 600, 1_800, 86_400]));
        }
        self.send(number, "pickup", body);
    }

    fn subscribe(&mut self, number: &str, service: &str) {
        let mut body = json!({"service": service, "product": self.pick(&PRODUCTS)});
        if self.rng.random_bool(0.7) {
            body["display_others"] = json!(self.pick(&["FULL", "FULL", "MASKED"]));
        }
        if self.rng.random_bool(0.7) {
            body["share_own"] = json!(self.pick(&["FULL", "MASKED"]));
        }
        if self.rng.random_bool(0.3) {
            body["licence"] = json!(self.pick(&["BUNDLE", "BUNDLE", "STANDALONE", "UPGRADED_PORTAL"]));
        }
        self.send(number, "subscribe", body);
    }

    /// Something that was sent before, as it was, or almost.
    fn again(&mut self) {
        let recent = &self.sent[self.sent.len().saturating_sub(2_000)..];
        let near = &recent[recent.len().saturating_sub(40)..];
        let place = if self.rng.random_bool(0.6) { near.choose(&mut self.rng) } else { recent.choose(&mut self.rng) };
        let Some(mut again) = place.and_then(|place| self.out.get(*place)).cloned() else { return };
        match self.rng.random_range(0..6) {
            0 => again["command_id"] = json!(format!("m-{}", self.out.len())), // a message is known by its own id
            1 => again["business_number"] = json!(self.pick(&NUMBERS)),
            2 if again["message"].is_object() => again["message"]["customer"] = json!(self.pick(&CUSTOMERS)),
            2 if again["reply"].is_object() => again["reply"]["service"] = json!(self.pick(&SERVICES)),
            3 if again["reply"].is_object() => again["reply"]["content"] = json!({"text": "other words, same id"}),
            _ => {}
        }
        self.out.push(again);
    }

    /// A command, as many others of its kind and scope as bring it to the edge of the last 256, and it again.
    fn flood(&mut self) {
        let number = self.pick(&NUMBERS);
        let others = self.pick(&[254, 255, 256]);
        let kind = self.rng.random_range(0..3);
        let first = self.out.len();
        for _ in 0..=others {
            match kind {
                0 => self.message(number, CUSTOMERS[0]),
                1 => {
                    let body = json!({"service": "crm", "agent": "mia", "customer": CUSTOMERS[0], "release": true});
                    self.send(number, "pickup", body);
                }
                _ => self.send(number, "unsubscribe", json!({"service": "ghost"})),
            }
        }
        if let Some(again) = self.out.get(first).cloned() {
            self.out.push(again);
        }
    }

    /// More services than one number takes. Most leave at once, so that the rows stay few.
    fn crowd(&mut self) {
        for n in 0..258 {
            let service = format!("s{n}");
            self.send(CROWDED, "subscribe", json!({"service": service}));
            if n % 100 != 0 {
                self.send(CROWDED, "unsubscribe", json!({"service": service}));
            }
        }
        self.message(CROWDED, CUSTOMERS[0]);
        self.send(CROWDED, "subscribe", json!({"service": "s7", "display_others": "FULL"}));
        self.reply(CROWDED, CUSTOMERS[0], "s257");
    }

    fn send(&mut self, number: &str, action: &str, body: Value) {
        let n = self.out.len();
        let mut id = format!("m-{n}");
        if let Some(service) = body["service"].as_str() {
            let connected = self.connected.entry(number.to_owned()).or_default();
            match action {
                "subscribe" if !connected.iter().any(|known| known == service) => connected.push(service.to_owned()),
                "unsubscribe" => connected.retain(|known| known != service),
                _ => {}
            }
        }
        match self.rng.random_range(0..40) {
            0 => id = format!("{n:0>64}"),
            1 => id = format!("m-{}", self.rng.random_range(0..=n)), // one that was used before, perhaps
            _ => {}
        }
        self.sent.push(n);
        self.out.push(command(&id, number, action, body));
    }

    fn count(&mut self, number: &str, customer: &str) {
        *self.entries.entry((number.to_owned(), customer.to_owned())).or_default() += 1;
    }

    fn pick<T: Copy, const N: usize>(&mut self, from: &[T; N]) -> T {
        from[self.rng.random_range(0..N)]
    }
}

fn merged(mut body: Value, more: Value) -> Value {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}
