//! What is read from bytes and lines, and written back.

use std::sync::OnceLock;

use partyline_tests::encode::{encode, key};
use partyline_wire::{
    DESCRIPTOR_SET, MAX_COMMAND_BYTES, Outcomes, Placed, PositionRow, command_from_json, decode_command, row_to_json,
    state,
};
use proptest::prelude::*;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions, prost::Message as _};
use serde_json::Value;

use super::{cases, frozen::Frozen, one_command, some_commands};

const ALONE: Placed = Placed { partition: 0, partitions: 1 };

/// Decodes as a foreign program does: with the shipped descriptors alone.
fn reflect(message: &str, bytes: &[u8]) -> DynamicMessage {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTOR_SET).unwrap());
    DynamicMessage::decode(pool.get_message_by_name(message).unwrap(), bytes).unwrap()
}

fn to_json(message: &DynamicMessage) -> Value {
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).unwrap()
}

/// Whatever the bytes are, nothing panics; what is refused says why.
fn read_all(key: &[u8], bytes: &[u8]) {
    if let Err(invalid) = decode_command(Some(key), Some(bytes), ALONE) {
        assert!(!invalid.field.is_empty() && !invalid.problem.is_empty());
    }
    let _ = Outcomes::decode(bytes);
    let _ = PositionRow::decode(bytes);
    let _ = row_to_json(bytes);
    let _ = state::decode_number(bytes);
    let _ = state::decode_conversation(bytes);
    let _ = state::decode_entry(bytes);
}

/// What can happen to bytes.
#[derive(Debug, Clone)]
enum Damage {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Cut(prop::sample::Index),
    Double(prop::sample::Index),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Self::Insert(at, byte)),
            any::<prop::sample::Index>().prop_map(Self::Remove),
            any::<prop::sample::Index>().prop_map(Self::Cut),
            any::<prop::sample::Index>().prop_map(Self::Double),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |index: &prop::sample::Index, len: usize| index.index(len.max(1)).min(len.saturating_sub(1));
        let len = bytes.len();
        match self {
            _ if len == 0 => {}
            Self::Set(index, byte) => bytes[at(index, len)] = *byte,
            Self::Insert(index, byte) => bytes.insert(at(index, len), *byte),
            Self::Remove(index) => drop(bytes.remove(at(index, len))),
            Self::Cut(index) => bytes.truncate(at(index, len)),
            Self::Double(index) => bytes.extend_from_within(at(index, len)..),
        }
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(b"+4930111222", &bytes);
    }

    #[test]
    fn damaged_commands_can_be_read(command in one_command(), damage in prop::collection::vec(Damage::any(), 1..6)) {
        let mut bytes = encode(&command);
        damage.iter().for_each(|damage| damage.apply(&mut bytes));
        read_all(key(&command).as_bytes(), &bytes);
    }

    #[test]
    fn damaged_lines_can_be_read(command in one_command(), damage in prop::collection::vec(Damage::any(), 1..6)) {
        let mut line = command.to_string().into_bytes();
        damage.iter().for_each(|damage| damage.apply(&mut line));
        if let Err(invalid) = command_from_json(&String::from_utf8_lossy(&line)) {
            prop_assert!(!invalid.field.is_empty() && !invalid.problem.is_empty());
        }
    }

    /// JSON, bytes, command, JSON: what a foreign encoder makes of the same line is the same.
    #[test]
    fn a_command_survives_json_and_bytes(command in one_command()) {
        let line = command_from_json(&command.to_string()).unwrap();
        let bytes = encode(&command);
        prop_assert_eq!(&line.value, &bytes);
        prop_assert_eq!(&decode_command(Some(key(&command).as_bytes()), Some(&bytes), ALONE).unwrap(), &line.command);
        let again = to_json(&reflect("partyline.v1.Command", &bytes));
        prop_assert_eq!(&command_from_json(&again.to_string()).unwrap().value, &bytes);
        // Nothing is left out but what protobuf leaves out: a default.
        prop_assert_eq!(to_json(&reflect("partyline.v1.Command", &encode(&again))), again);
    }
}

proptest! {
    #![proptest_config(cases(30))]

    /// Rows are canonical: decoded and encoded again by a foreign program they are the same bytes.
    #[test]
    fn rows_are_canonical(commands in some_commands()) {
        let mut ledger = Frozen::new(3);
        for (offset, (command, at_ms)) in (0..).zip(&commands) {
            let (_, rows) = ledger.apply(command, offset, *at_ms);
            for (_, (key, value)) in rows.into_iter().flat_map(|(service, rows)| rows.into_iter().map(move |row| (service.clone(), row))) {
                let message = reflect("partyline.v1.ViewRow", &value);
                prop_assert_eq!(message.encode_to_vec(), value.clone());
                prop_assert_eq!(message.unknown_fields().count(), 0);
                prop_assert_eq!(Some(to_json(&message)), row_to_json(&value));
                prop_assert!(String::from_utf8(key).is_ok());
            }
        }
    }
}

#[test]
fn the_largest_command_is_read_and_one_byte_more_is_not() {
    let fill = |parameters: usize, last: usize| {
        let mut texts = vec!["p".repeat(1_024); parameters];
        texts.push("p".repeat(last));
        let content = serde_json::json!({"template": {"name": "t", "parameters": texts}});
        let body = serde_json::json!({"customer": "7", "content": content});
        encode(&partyline_tests::workload::command("c", "+4930111222", "message", body))
    };
    let spare = MAX_COMMAND_BYTES - fill(63, 200).len();
    let (largest, too_large) = (fill(63, 200 + spare), fill(63, 201 + spare));
    assert_eq!((largest.len(), too_large.len()), (MAX_COMMAND_BYTES, MAX_COMMAND_BYTES + 1));
    assert!(decode_command(Some(b"+4930111222"), Some(&largest), ALONE).is_ok());
    let refused = decode_command(Some(b"+4930111222"), Some(&too_large), ALONE).unwrap_err();
    assert_eq!(refused.to_string(), "record must be at most 65536 bytes, has 65537");
}
