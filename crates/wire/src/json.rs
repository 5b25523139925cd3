//! The contract's JSON: protobuf's mapping with proto field names, 64-bit integers as numbers, defaults left out.

use std::sync::OnceLock;

use partyline_ledger::Command;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use crate::{DESCRIPTOR_SET, Invalid, decode::decode_value, explain::explain, strict};

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
/// [`Invalid`], whose `field` is the path of the field, `line` if it is not an object of JSON at all, or `record` if
/// only its encoding is wrong.
pub fn command_from_json(line: &str) -> Result<CommandLine, Invalid> {
    let descriptor = descriptor("partyline.v1.Command").ok_or_else(|| Invalid::new("line", "cannot be read"))?;
    let mut json = serde_json::Deserializer::from_str(line);
    let message = DynamicMessage::deserialize(descriptor.clone(), &mut json)
        .and_then(|message| json.end().map(|()| message))
        .and_then(|message| strict::check(&descriptor, line).map(|()| message))
        .map_err(|_| explain(&descriptor, line))?;
    let value = message.encode_to_vec();
    let command = decode_value(&value)?;
    Ok(CommandLine { command, value })
}

/// The JSON of an encoded `partyline.v1.ViewRow`; `None` if it is something else.
pub fn row_to_json(value: &[u8]) -> Option<Value> {
    let row = DynamicMessage::decode(descriptor("partyline.v1.ViewRow")?, value).ok()?;
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    row.serialize_with_options(serde_json::value::Serializer, &options).ok()
}

pub(crate) fn descriptor(name: &str) -> Option<MessageDescriptor> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTOR_SET).ok()).as_ref()?.get_message_by_name(name)
}
