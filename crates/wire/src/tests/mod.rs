//! Tests of the encodings: the contract's JSON, what protobuf tolerates, what is refused, round trips, and the hashes of
//! ids.

mod descriptors;
mod examples;
mod known;
mod outcomes;
mod quick;
mod refused;
mod stored;
mod tolerated;

use partyline_ledger::Command;
use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value;

use crate::{Invalid, Placed, decode_command, json::descriptor, partition_of};

const NUMBER: &str = "+4930111222";
const ALONE: Placed = Placed { partition: 0, partitions: 1 };

/// Encodes JSON as a foreign producer does; no bound is checked.
fn encoded(command: &Value) -> Vec<u8> {
    use prost_reflect::prost::Message as _;
    DynamicMessage::deserialize(descriptor("partyline.v1.Command").unwrap(), command).unwrap().encode_to_vec()
}

/// The JSON of encoded bytes, by their descriptor alone.
fn json_of(message: &str, bytes: &[u8]) -> Value {
    let message = DynamicMessage::decode(descriptor(message).unwrap(), bytes).unwrap();
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).unwrap()
}

/// Decodes a value under the usual number.
fn decoded(value: &[u8]) -> Result<Command, Invalid> {
    decode_command(Some(NUMBER.as_bytes()), Some(value), ALONE)
}

/// What is said of a value that is refused.
fn refusal(value: &[u8]) -> String {
    decoded(value).unwrap_err().to_string()
}

/// Bytes of a field that holds other bytes.
fn field(tag: u32, bytes: &[u8]) -> Vec<u8> {
    let mut buf = Vec::new();
    crate::put::bytes(&mut buf, tag, bytes);
    buf
}

/// Bytes of a field that holds a number.
fn varint(tag: u32, value: u64) -> Vec<u8> {
    let mut buf = Vec::new();
    crate::put::uint(&mut buf, tag, value);
    buf
}

/// The id and the number of a command.
fn head() -> Vec<u8> {
    [field(1, b"c1"), field(2, NUMBER.as_bytes())].concat()
}

#[test]
fn a_record_lies_where_its_key_belongs() {
    let value = [head(), field(15, &field(1, b"desk"))].concat();
    let right = partition_of(NUMBER.as_bytes(), 12);
    for partition in 0..12 {
        let placed = Placed { partition, partitions: 12 };
        let read = decode_command(Some(NUMBER.as_bytes()), Some(&value), placed);
        assert_eq!(read.is_ok(), partition == right, "{partition}");
    }
}
