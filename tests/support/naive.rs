//! A second implementation of the behaviour contract, as plain as it can be.
//!
//! It exists to be held against the real one, row for row, so it shares nothing with it: JSON in, JSON out, whole
//! timelines in memory, no cleverness. Slow is fine; wrong is not.
//!
//! | module | what |
//! | --- | --- |
//! | `validate` | rule 1: shapes and bounds |
//! | `state` | what is remembered of a number |
//! | `channels` | `subscribe`, `unsubscribe`, `republish` |
//! | `talk` | `message`, `reply`, `pickup` |
//! | `rows` | keys, bodies, masking, history |

mod channels;
mod rows;
mod state;
mod talk;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::rows::Step;
use self::state::{Number, Recent};

pub use self::validate::validate;

/// The whole world: every number that was ever named, and every service's topic.
#[derive(Default)]
pub struct Naive {
    numbers: BTreeMap<String, Number>,
    topics: BTreeMap<String, Vec<(String, Value)>>,
}

/// One record of the log.
pub struct Fed<'a> {
    /// Partition of the record.
    pub partition: u32,
    /// Offset of the record.
    pub offset: u64,
    /// Log time, in milliseconds.
    pub at_ms: i64,
    /// The command in the contract's JSON form; it may be invalid.
    pub command: &'a Value,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect (even if it published nothing).
    Accepted,
    /// Its id is among the last 256: nothing changed.
    Duplicate,
    /// A rule refused it.
    Rejected {
        /// The contract's name of the reason, such as `NOT_PARENT`.
        reason: String,
        /// No service can be told: it goes to the dead-letter topic and no row was published.
        dead_letter: bool,
    },
    /// It breaks a bound or has the wrong shape: dead letter.
    Invalid,
}

/// What a rule answers.
enum Decision {
    Accepted,
    Duplicate,
    Rejected(&'static str),
}

impl Naive {
    /// An empty world.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one record: validity, then idempotency, then the rule of its action.
    pub fn apply(&mut self, fed: Fed<'_>) -> Outcome {
        let Ok((name, action)) = validate(fed.command) else {
            return Outcome::Invalid;
        };
        let id = fed.command["business_number"].as_str().unwrap_or_default();
        let number = self.numbers.entry(id.to_owned()).or_insert_with(|| Number::new(id));
        let mut step = Step::new(&fed, action);
        let outcome = match decide(number, name, &mut step) {
            Decision::Accepted => Outcome::Accepted,
            Decision::Duplicate => Outcome::Duplicate,
            Decision::Rejected(reason) => {
                let dead_letter = !reject(number, &mut step, reason);
                Outcome::Rejected { reason: reason.to_owned(), dead_letter }
            }
        };
        self.publish(fed.offset, step.rows);
        outcome
    }

    /// Every service's rows in the order of their publication: key and `{"cause": .., "<kind>": ..}`.
    /// Defaults are left out as in the contract's JSON; position rows are not included.
    pub fn topics(&self) -> &BTreeMap<String, Vec<(String, Value)>> {
        &self.topics
    }

    /// The rows since the last call, and forgets them: a [`Value`] is large, so long runs are compared piece by piece.
    pub fn take_topics(&mut self) -> BTreeMap<String, Vec<(String, Value)>> {
        std::mem::take(&mut self.topics)
    }

    /// What the compacted topic of a service comes to: the latest row of each key
    /// (since [`Naive::take_topics`], if that was called).
    pub fn view(&self, service: &str) -> BTreeMap<String, Value> {
        self.topics.get(service).into_iter().flatten().cloned().collect()
    }

    /// Appends a command's rows to the topics. `index` counts them for each service on its own.
    fn publish(&mut self, offset: u64, rows: Vec<rows::Row>) {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for row in rows {
            let index = counts.entry(row.service.clone()).or_default();
            let cause = validate::without_defaults(&json!({"offset": offset, "index": *index}));
            *index += 1;
            let value = json!({"cause": cause, row.kind: row.body});
            self.topics.entry(row.service).or_default().push((row.key, value));
        }
    }
}

/// Rules 2 and 3 of "every command".
fn decide(number: &mut Number, name: &str, step: &mut Step<'_>) -> Decision {
    if name == "message" {
        return talk::message(number, step); // decided in each of its conversations by itself
    }
    let id = format!("{} {}", step.string("service"), step.command_id());
    if scope(number, name, step).is_some_and(|recent| recent.contains(&id)) {
        return Decision::Duplicate;
    }
    let decision = match name {
        "subscribe" => channels::subscribe(number, step),
        "unsubscribe" => channels::unsubscribe(number, step),
        "republish" => channels::republish(number, step),
        "reply" => talk::reply(number, step),
        _ => talk::pickup(number, step),
    };
    // Asked again: the command itself may have brought its scope into being.
    if let Some(recent) = scope(number, name, step) {
        recent.remember(id);
    }
    decision
}

/// Where a command that is not a message is remembered; nowhere if its number or conversation does not exist.
fn scope<'a>(number: &'a mut Number, name: &str, step: &Step<'_>) -> Option<&'a mut Recent> {
    if name == "reply" || name == "pickup" {
        let channel = number.channel_of(step.string("service"))?;
        let key = (channel, step.string("customer").to_owned());
        return number.conversations.get_mut(&key).map(|conversation| &mut conversation.commands);
    }
    let exists = !number.ever.is_empty();
    exists.then_some(&mut number.commands)
}

/// Tells the service that issued the command, if it ever subscribed. True if it was told.
fn reject(number: &mut Number, step: &mut Step<'_>, reason: &str) -> bool {
    let service = step.string("service").to_owned();
    if !number.ever.contains_key(&service) {
        return false;
    }
    rows::rejection(number, step, &service, reason);
    number.rejections += 1;
    true
}
