//! Seeded commands to test with, in the contract's JSON. The same seed gives the same commands.
//!
//! | module | what |
//! | --- | --- |
//! | `dialogues` | real conversations, read from a file |
//! | `office` | those conversations as commands of several numbers, interleaved, with all that an office does to them |
//! | `mix` | a dense random mix that meets every rule, and the edges of every window |
//! | `content` | contents of every kind, some exactly at their bounds |
//! | `invalid` | lines and commands that break exactly one shape or bound |
//! | `markers` | unique texts in replies, to find leaks by |
//! | `log_time` | timestamps as a log might give them |

mod content;
mod dialogues;
mod invalid;
mod log_time;
mod markers;
mod mix;
mod office;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

pub use self::dialogues::{Dialogue, Turn, dialogues, load};
pub use self::invalid::{Malformed, invalid_commands, with_bad_input};
pub use self::log_time::LogTime;
pub use self::markers::{all_masked, with_markers};
pub use self::mix::random_mix;
pub use self::office::from_dialogues;

/// A command: its ids and one action.
pub fn command(command_id: &str, business_number: &str, action: &str, body: Value) -> Value {
    json!({"command_id": command_id, "business_number": business_number, action: body})
}

/// The name and the body of a command's action, if it has one.
pub fn action(command: &Value) -> Option<(&str, &Value)> {
    let fields = command.as_object()?;
    fields.iter().find(|(_, value)| value.is_object()).map(|(name, value)| (name.as_str(), value))
}
