//! The contract's JSON: protobuf's mapping with proto field names, 64-bit integers as numbers, defaults left out.

use std::sync::OnceLock;

use partyline_ledger::Command;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use crate::{DESCRIPTOR_SET, Invalid, decode::decode_value};

/// A command that came as a line of JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandLine {
    /// What it says; its business number is the record's key.
    pub command: Command,
    /// Its encoding: the record's value.
    pub value: Vec<u8>,
}

/// Reads one command from JSON and checks every bound.
///
/// # Errors
/// [`Invalid`], whose `field` is the path of the field, or `line` if it is not JSON at all.
pub fn command_from_json(line: &str) -> Result<CommandLine, Invalid> {
    let descriptor = descriptor("partyline.v1.Command").ok_or_else(|| Invalid::new("line", "cannot be read"))?;
    let mut json = serde_json::Deserializer::from_str(line);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let message = DynamicMessage::deserialize(descriptor, tracked).map_err(|error| {
        let path = track.path().to_string();
        let field = if path == "." || error.is_syntax() || error.is_eof() { "line".to_owned() } else { path };
        Invalid { field: field.into(), problem: problem(&error) }
    })?;
    json.end().map_err(|error| Invalid::new("line", problem(&error)))?;
    let value = message.encode_to_vec();
    let command = decode_value(&value)?;
    Ok(CommandLine { command, value })
}

/// What serde_json says, without "line 1": a command is always one line.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    format!("is wrong at column {}: {text}", error.column())
}

/// The JSON of an encoded `partyline.v1.ViewRow`; `None` if it is something else.
pub fn row_to_json(value: &[u8]) -> Option<Value> {
    let row = DynamicMessage::decode(descriptor("partyline.v1.ViewRow")?, value).ok()?;
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    row.serialize_with_options(serde_json::value::Serializer, &options).ok()
}

fn descriptor(name: &str) -> Option<MessageDescriptor> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTOR_SET).ok()).as_ref()?.get_message_by_name(name)
}
