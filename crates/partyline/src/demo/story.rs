//! What happens in the demo, as lines of JSON that `partyline publish` would take.
//!
//! Every shipped conversation is played: its first speaker's words as the customer's messages, the other's as replies
//! of whichever service was meant. One of them is told in detail; things happen in it that the rules have an answer to.

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};

/// Real conversations; `demo/NOTICE.md` says from where, and under which licence.
const SAMPLE: &str = include_str!("../../demo/dialogues.jsonl");
/// The conversation that is shown.
const SHOWN: &str = "91_00020";
/// The number that the services share.
pub const NUMBER: &str = "+493055501000";
/// The customer of the conversation that is shown.
pub const CUSTOMER: &str = "+14155550138";
/// The services, in the order in which they connect.
pub const SERVICES: [&str; 3] = ["concierge", "rides", "travel"];
/// A service's agent; the demo needs no more than one each.
const AGENTS: [&str; 3] = ["amy", "cleo", "ben"];
/// Every so many messages are delivered twice, as WhatsApp's webhooks do at times.
const REDELIVERED_EVERY: usize = 20;

/// The commands of the demo.
pub struct Story {
    /// How many conversations it has.
    pub conversations: usize,
    /// Lines of JSON.
    pub until_the_parent_leaves: Vec<String>,
    /// Lines of JSON.
    pub afterwards: Vec<String>,
}

#[derive(Deserialize)]
struct Dialogue {
    id: String,
    turns: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    speaker: String,
    services: Vec<String>,
    text: String,
}

impl Story {
    /// Makes the story from the shipped sample.
    pub fn from_sample() -> anyhow::Result<Self> {
        let dialogues = SAMPLE.lines().map(serde_json::from_str::<Dialogue>).collect::<Result<Vec<_>, _>>()?;
        let mut script = Script::default();
        connect(&mut script);
        for (at, dialogue) in dialogues.iter().enumerate().filter(|(_, dialogue)| dialogue.id != SHOWN) {
            chat(&mut script, dialogue, &format!("+1415555{:04}", 1000 + at));
        }
        let shown = dialogues.iter().find(|dialogue| dialogue.id == SHOWN);
        let shown = shown.context("the sample lacks the conversation that is shown")?;
        tell(&mut script, shown);
        let afterwards = script.leaving.map(|at| script.lines.split_off(at)).unwrap_or_default();
        Ok(Self { conversations: dialogues.len(), until_the_parent_leaves: script.lines, afterwards })
    }
}

/// Three services connect. The first is the parent; `rides` keeps its own replies to itself.
fn connect(script: &mut Script) {
    let [concierge, rides, travel] = SERVICES;
    script.put("connect-1", json!({ "subscribe": { "service": concierge } }));
    let settings = json!({ "service": rides, "display_others": "FULL", "share_own": "MASKED" });
    script.put("connect-2", json!({ "subscribe": settings }));
    script.put("connect-3", json!({ "subscribe": { "service": travel, "display_others": "FULL" } }));
}

/// A conversation in which each agent takes over properly.
fn chat(script: &mut Script, dialogue: &Dialogue, customer: &str) {
    let mut in_hand = None;
    for (at, turn) in dialogue.turns.iter().enumerate() {
        let id = format!("{}-{}", dialogue.id, at + 1);
        if turn.speaker == "USER" {
            script.message(&id, customer, &turn.text);
            continue;
        }
        let service = team(turn);
        if in_hand.is_some_and(|before| before != service) {
            script.pickup(&format!("{id}-take"), service, customer, "take_over");
        }
        in_hand = Some(service);
        script.reply(&id, service, customer, "AGENT", &turn.text);
    }
}

/// The conversation that is shown: it moves from service to service, and not everything goes smoothly.
fn tell(script: &mut Script, dialogue: &Dialogue) {
    let [concierge, rides, travel] = SERVICES;
    for (at, turn) in dialogue.turns.iter().enumerate() {
        let seq = at + 1;
        let id = format!("{}-{seq}", dialogue.id);
        if turn.speaker == "USER" {
            script.message(&id, CUSTOMER, &turn.text);
            continue;
        }
        if seq == 10 {
            // The bot of a service that is not the parent tries first.
            script.reply(&format!("{id}-bot"), rides, CUSTOMER, "BOT", &turn.text);
        }
        script.reply(&id, team(turn), CUSTOMER, if seq > 14 { "BOT" } else { "AGENT" }, &turn.text);
        match seq {
            // ben of travel wrote while amy of concierge still had it in hand; now he makes it his.
            6 => script.pickup(&format!("{id}-take"), travel, CUSTOMER, "take_over"),
            8 => script.pickup(&format!("{id}-release"), travel, CUSTOMER, "release"),
            14 => {
                script.pickup(&format!("{id}-release"), rides, CUSTOMER, "release");
                script.leaving = Some(script.lines.len());
                script.put("leave-1", json!({ "unsubscribe": { "service": concierge } }));
            }
            _ => {}
        }
    }
}

/// Which of the three services deals with what a turn is about.
fn team(turn: &Turn) -> &'static str {
    let [concierge, rides, travel] = SERVICES;
    match turn.services.first().and_then(|name| name.split('_').next()) {
        Some("RideSharing" | "RentalCars") => rides,
        Some("Travel" | "Hotels" | "Flights" | "Buses") => travel,
        _ => concierge,
    }
}

/// Commands in the making.
#[derive(Default)]
struct Script {
    lines: Vec<String>,
    messages: usize,
    /// The line with which the parent leaves.
    leaving: Option<usize>,
}

impl Script {
    fn put(&mut self, id: &str, action: Value) {
        let mut command = json!({ "command_id": id, "business_number": NUMBER });
        if let (Value::Object(command), Value::Object(action)) = (&mut command, action) {
            command.extend(action);
        }
        self.lines.push(command.to_string());
    }

    fn message(&mut self, id: &str, customer: &str, text: &str) {
        let action = json!({ "message": {
            "customer": customer, "message_id": format!("wamid.{id}"), "content": { "text": text },
        } });
        self.put(id, action.clone());
        self.messages += 1;
        if self.messages.is_multiple_of(REDELIVERED_EVERY) {
            self.put(&format!("{id}-again"), action);
        }
    }

    fn reply(&mut self, id: &str, service: &str, customer: &str, origin: &str, text: &str) {
        let mut reply = json!({
            "service": service, "customer": customer, "origin": origin, "content": { "text": text },
        });
        if origin == "AGENT" {
            reply["agent"] = json!(agent(service));
        }
        self.put(id, json!({ "reply": reply }));
    }

    /// `how`: `take_over` or `release`.
    fn pickup(&mut self, id: &str, service: &str, customer: &str, how: &str) {
        let pickup = json!({ "service": service, "agent": agent(service), "customer": customer, how: true });
        self.put(id, json!({ "pickup": pickup }));
    }
}

fn agent(service: &str) -> &'static str {
    SERVICES.iter().zip(AGENTS).find(|(name, _)| **name == service).map_or("amy", |(_, agent)| agent)
}
