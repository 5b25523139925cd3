//! What is read in place is what prost reads, whatever the bytes.

use proptest::prelude::*;
use serde_json::json;

use super::{NUMBER, encoded, field, head, varint};
use crate::{decode::decode_any, quick};

/// Plain commands of both kinds.
fn plain() -> Vec<Vec<u8>> {
    let reply = |origin: u64, more: serde_json::Value| {
        let mut reply = json!({"service": "desk", "customer": "+4915155501", "origin": origin,
            "content": {"text": "On its way \u{1f4e6}"}, "in_reply_to": "wamid.1", "seen_seq": u64::MAX});
        reply.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        encoded(&json!({"command_id": "c2", "business_number": NUMBER, "issued_at_ms": -1, "reply": reply}))
    };
    vec![
        encoded(&json!({"command_id": "c1", "business_number": NUMBER, "message": {"customer": "7", "sent_at_ms": 5,
            "message_id": "w1", "content": {"text": "x".repeat(300)}, "in_reply_to": "w0"}})),
        reply(0, json!({"agent": "mia"})),
        reply(2, json!({})),
    ]
}

fn agree(value: &[u8]) {
    if let Some(command) = quick::command(value) {
        assert_eq!(Ok(command), decode_any(value));
    }
}

#[test]
fn plain_commands_are_read_in_place() {
    for value in plain() {
        assert_eq!(quick::command(&value), decode_any(&value).ok());
        assert!(quick::command(&value).is_some());
        // Cut short, and with each byte spoiled.
        for at in 0..value.len() {
            agree(&value[..at]);
            for flip in [1, 2, 8, 0x80] {
                let mut spoiled = value.clone();
                spoiled[at] ^= flip;
                agree(&spoiled);
            }
        }
    }
}

#[test]
fn unusual_ones_are_left_to_prost() {
    let text = field(1, b"hi");
    let message = |content: &[u8], more: &[u8]| {
        let action = [field(1, b"7"), field(4, content), more.to_vec()].concat();
        [head(), field(12, &action)].concat()
    };
    assert!(quick::command(&message(&text, b"")).is_some());
    for value in [
        message(&[text.clone(), text.clone()].concat(), b""),
        message(&[&[0x0a, 0x82, 0x00][..], b"hi"].concat(), b""),
        message(&[text.clone(), varint(99, 1)].concat(), b""),
        message(&field(1, b""), b""),
        message(&field(1, b"\xff"), b""),
        message(&[], b""),
        message(&text, &field(1, b"8")),
        message(&text, &varint(6, 1)),
        [message(&text, b""), field(11, &field(1, b"desk"))].concat(),
        [message(&text, b""), field(16, b"")].concat(),
        [message(&text, b""), varint(5, 1)].concat(),
        [message(&text, b""), field(1, b"c2")].concat(),
    ] {
        assert_eq!(quick::command(&value), None, "{value:?}");
    }
}

proptest! {
    #[test]
    fn pieces_in_any_order(pieces in prop::collection::vec(0_usize..12, 0..7), inner in prop::collection::vec(0_usize..9, 0..6)) {
        let text = field(1, b"hi");
        let parts = [field(1, b"7"), field(2, b"desk"), field(4, &text), field(5, &text), varint(3, 9), varint(6, 2),
            field(3, b"8"), varint(4, 2), field(7, b"w")];
        let action: Vec<u8> = inner.iter().flat_map(|part| parts[*part].clone()).collect();
        let all = [field(1, b"c1"), field(2, NUMBER.as_bytes()), varint(3, 1), field(12, &action), field(13, &action),
            field(10, &action), field(14, &action), varint(12, 3), field(3, b""), varint(17, 1), field(1, b""), vec![0x0d]];
        let value: Vec<u8> = pieces.iter().flat_map(|piece| all[*piece].clone()).collect();
        agree(&value);
        agree(&[head(), value].concat());
    }
}
