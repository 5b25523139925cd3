//! The contract's rules as tables: commands, and under each what it did.
//!
//! A line of a script that begins with a number is a command: `<log time, s> <action> <words> <field=value ...>`. The
//! words are the service, the agent and the text, as far as the action has them. The number is always the same unless
//! `number=` says otherwise, the customer is `7`, the command's id `c<line>`. The lines under it are what it must have
//! done: its outcome unless it was accepted, then each service's rows in order, in short. `...` at a command's end: what
//! it does is not looked at.
//!
//! | module | rules |
//! | --- | --- |
//! | `subscribing` | channels, settings, restricted services, the parent, leaving and coming back |
//! | `talking` | messages, replies, automation |
//! | `picking_up` | pickups, their time, warnings |
//! | `remembering` | idempotency |
//! | `showing` | masking, history, republish |
//! | `counting` | the slots of warnings and rejections, the limit of services |

mod counting;
mod picking_up;
mod remembering;
mod showing;
mod subscribing;
mod talking;

use partyline_ledger::Outcome;
use partyline_tests::{
    encode::{encode, key},
    model::Model,
};
use partyline_wire::row_to_json;
use serde_json::{Value, json};

const NUMBER: &str = "+4930111222";

/// Plays a script and compares it with what happens, line by line.
fn check(script: &str) {
    let mut played = Played::default();
    let wanted: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut seen = Vec::new();
    for line in wanted.iter().filter(|line| line.starts_with(|c: char| c.is_ascii_digit() || c == '-')) {
        let did = played.line(line.trim_end_matches(" ..."));
        seen.push((*line).to_owned());
        if !line.ends_with(" ...") {
            seen.extend(did);
        }
    }
    assert_eq!(seen, wanted, "\nwhat happened:\n{}\n", seen.join("\n"));
}

/// A ledger and the commands it got.
#[derive(Default)]
struct Played {
    model: Model,
    /// The next command's offset.
    offset: u64,
    /// Each service's rows of the last command: key and JSON.
    rows: Vec<(String, Vec<(String, Value)>)>,
}

impl Played {
    /// Plays several lines; nothing is compared.
    fn lines(script: &[&str]) -> Self {
        let mut played = Self::default();
        script.iter().for_each(|line| drop(played.line(line)));
        played
    }

    /// Plays a line and says in short what it did.
    fn line(&mut self, line: &str) -> Vec<String> {
        let (at_ms, command) = command(line, self.offset);
        let outcome = self.command(&command, at_ms);
        let mut short = match outcome {
            None => vec!["invalid".to_owned()],
            Some(Outcome::Accepted) => vec![],
            Some(Outcome::Duplicate) => vec!["duplicate".to_owned()],
            Some(Outcome::Rejected { reason, dead_letter: false }) => vec![reason.to_string()],
            Some(Outcome::Rejected { reason, dead_letter: true }) => vec![format!("{reason} to nobody")],
        };
        for (service, rows) in &self.rows {
            short.extend(rows.iter().map(|(key, row)| format!("{service}: {}", in_short(key, row))));
        }
        short
    }

    /// Applies a command; every row must say what caused it.
    fn command(&mut self, command: &Value, at_ms: i64) -> Option<Outcome> {
        let did = self.model.apply(key(command), &encode(command), self.offset, at_ms);
        let read = |(key, value): (String, Vec<u8>)| (key, row_to_json(&value).unwrap());
        self.rows =
            did.rows.into_iter().map(|(service, rows)| (service, rows.into_iter().map(read).collect())).collect();
        for (_, rows) in &self.rows {
            for (index, (key, row)) in rows.iter().enumerate() {
                let cause = |field: &str| row["cause"][field].as_u64().unwrap_or_default();
                assert_eq!((cause("offset"), cause("index")), (self.offset, index as u64), "{key}");
            }
        }
        self.offset += 1;
        did.outcome
    }

    /// The last command's row for a service with this key.
    fn row(&self, service: &str, key: &str) -> &Value {
        let (_, rows) = self.rows.iter().find(|(name, _)| name == service).unwrap();
        &rows.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("no {key} in {rows:?}")).1
    }
}

/// The command of a line, and its log time in milliseconds.
fn command(line: &str, offset: u64) -> (i64, Value) {
    let mut words = line.split(' ');
    let seconds: f64 = words.next().unwrap().parse().unwrap();
    let action = words.next().unwrap();
    let mut names = match action {
        "message" => ["text"].iter(),
        "reply" => ["service", "agent", "text"].iter(),
        _ => ["service", "agent"].iter(),
    };
    let (mut id, mut number) = (format!("c{offset}"), NUMBER);
    let mut body = if ["message", "reply", "pickup"].contains(&action) { json!({"customer": "7"}) } else { json!({}) };
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or_else(|| (names.next().unwrap(), word));
        match name {
            "id" => id = value.to_owned(),
            "number" => number = value,
            "text" => body["content"] = json!({"text": value}),
            "hold_for_s" | "seen_seq" | "sent_at_ms" => body[name] = json!(value.parse::<i64>().unwrap()),
            "take_over" | "release" => body[name] = json!(value == "true"),
            _ => body[name] = json!(value),
        }
    }
    ((seconds * 1_000.0) as i64, json!({"command_id": id, "business_number": number, action: body}))
}

/// A row in a few words; the kinds of isolated channels' rows end in `~`.
fn in_short(key: &str, row: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    let who = |value: &Value| match value["service"].as_str() {
        Some(service) => format!("{service}/{}", value["agent"].as_str().unwrap_or("-")),
        None => "-".to_owned(),
    };
    let (kind, body) = row.as_object().unwrap().iter().find(|(kind, _)| *kind != "cause").unwrap();
    let isolated = if body["channel_id"].as_str().is_some_and(|id| id.contains('~')) { "~" } else { "" };
    let place = key.rsplit('/').next().unwrap();
    let rest = match kind.as_str() {
        "channel" if body["subscribed"] != true => "left".to_owned(),
        "channel" => {
            let subscribers: Vec<_> = body["subscribers"].as_array().unwrap().iter().map(text).collect();
            assert_eq!(body["parent"], body["subscribers"][0], "the first is the parent");
            let settings = [text(&body["display_others"]), text(&body["share_own"])].join(" ");
            format!("{} {settings}", subscribers.join(","))
        }
        "conversation" if body["holder"].is_null() => format!("{place} free"),
        "conversation" => {
            let [since, until] = ["since_ms", "until_ms"].map(|name| number(&body["holder"][name]) as f64 / 1_000.0);
            format!("{place} {} {since}..{until}", who(&body["holder"]))
        }
        "entry" => {
            let said = body["content"]["text"].as_str().unwrap_or("?");
            format!("{} {} {} {said}", number(&body["seq"]), who(&body["author"]), text(&body["visibility"]))
        }
        "warning" => {
            let (by, holder) = (who(&body["by"]), who(&body["holder"]));
            let [seq, latest] = ["seq", "latest_seq"].map(|name| number(&body[name]));
            format!("{place} {} by {by} over {holder} {seq} {latest}", text(&body["kind"]))
        }
        _ => format!("{place} {}", text(&body["reason"])),
    };
    format!("{kind}{isolated} {rest}")
}
