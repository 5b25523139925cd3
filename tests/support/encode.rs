//! Commands as a foreign producer encodes them: with nothing but the descriptors, and no bound checked.

use std::sync::OnceLock;

use prost_reflect::{DescriptorPool, DynamicMessage, prost::Message as _};
use serde_json::Value;

/// The protobuf encoding of a command in JSON.
pub fn encode(command: &Value) -> Vec<u8> {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(partyline_wire::DESCRIPTOR_SET).unwrap());
    let descriptor = pool.get_message_by_name("partyline.v1.Command").unwrap();
    DynamicMessage::deserialize(descriptor, command).unwrap().encode_to_vec()
}

/// The record's key: the business number, whatever it is.
pub fn key(command: &Value) -> &str {
    command["business_number"].as_str().unwrap_or_default()
}
