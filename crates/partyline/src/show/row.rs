//! Rows as tables need them, read from their JSON. What a newer program wrote and this one does not know is shown as
//! far as it is understood.

use partyline_wire::row_to_json;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// A channel row (contract: Views).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Channel {
    /// `<number>` or `<number>~<service>`.
    pub channel_id: String,
    /// Whether it belongs to one service alone.
    pub isolated: bool,
    /// Whether the reader of the view is (still) subscribed.
    pub subscribed: bool,
    /// The subscriber that controls automation.
    pub parent: String,
    /// In the order in which they joined.
    pub subscribers: Vec<String>,
    /// How the reader shows the others' replies.
    #[serde(deserialize_with = "word")]
    pub display_others: String,
    /// Whether the others may show the reader's replies in full.
    #[serde(deserialize_with = "word")]
    pub share_own: String,
}

/// A conversation row.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Conversation {
    /// Its channel.
    pub channel_id: String,
    /// The other end.
    pub customer: String,
    /// Who has it in hand, or had.
    pub holder: Option<Holder>,
}

/// An agent's pickup.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// Of which service.
    pub service: String,
    /// Who.
    pub agent: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Until when, milliseconds since 1970.
    pub until_ms: i64,
}

/// An entry row.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// Its channel.
    pub channel_id: String,
    /// The other end.
    pub customer: String,
    /// Its place in the timeline, from 1.
    pub seq: u64,
    /// Nothing for the customer.
    pub author: Option<Author>,
    /// `FULL` or `MASKED`.
    #[serde(deserialize_with = "word")]
    pub visibility: String,
    /// What it says, unless it is masked.
    pub content: Value,
    /// Log time, milliseconds since 1970.
    pub at_ms: i64,
}

/// Who wrote a reply.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Author {
    /// Of which service.
    pub service: String,
    /// Who; may be empty for an automation.
    pub agent: String,
    /// `AGENT`, `BOT` ...
    #[serde(deserialize_with = "word")]
    pub origin: String,
}

/// A warning row.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Warning {
    /// Its channel.
    pub channel_id: String,
    /// The other end.
    pub customer: String,
    /// `TAKEN_OVER` and the like.
    #[serde(deserialize_with = "word")]
    pub kind: String,
    /// Who caused it.
    pub by: Agent,
    /// Who holds, or held, the conversation.
    pub holder: Option<Agent>,
    /// Of the reply, or 0.
    pub seq: u64,
    /// The newest entry that was not seen, or 0.
    pub latest_seq: u64,
    /// Log time, milliseconds since 1970.
    pub at_ms: i64,
}

/// An agent of a service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Agent {
    /// Of which service.
    pub service: String,
    /// Who.
    pub agent: String,
}

/// A rejection row.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Rejection {
    /// The number that the command was for.
    pub business_number: String,
    /// The command.
    pub command_id: String,
    /// `NOT_PARENT` and the like.
    #[serde(deserialize_with = "word")]
    pub reason: String,
    /// Log time, milliseconds since 1970.
    pub at_ms: i64,
}

impl Entry {
    /// Whether the reader may not see what it says.
    pub fn is_masked(&self) -> bool {
        self.visibility == "MASKED"
    }
}

impl Holder {
    /// Whether the pickup is live at this time.
    pub fn is_live(&self, now_ms: i64) -> bool {
        now_ms < self.until_ms
    }
}

/// Reads the part `name` (`entry`, `channel` ...) of a row's value; `None` if it has none, or is no row at all.
pub fn read<T: DeserializeOwned>(value: &[u8], name: &str) -> Option<T> {
    let part = row_to_json(value)?.get_mut(name)?.take();
    serde_json::from_value(part).ok()
}

/// A name of an enum; its number where this program does not know it.
fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(name) => name,
        other => format!("#{other}"),
    })
}
