//! What protobuf lets producers do: newer fields, fields in any order, fields that come twice, packed as they like.

use partyline_ledger::{Action, Visibility};
use serde_json::json;

use super::{NUMBER, decoded, encoded, field, head, refusal, varint};

/// A reply with a text, and more bytes inside its content, inside its action and beside it.
fn reply(in_content: &[u8], in_action: &[u8], beside: &[u8]) -> Vec<u8> {
    let content = [&field(1, b"hi")[..], in_content].concat();
    let action = [field(1, b"desk"), field(2, b"mia"), field(3, b"7"), field(5, &content), in_action.to_vec()].concat();
    [head(), field(13, &action), beside.to_vec()].concat()
}

#[test]
fn fields_of_newer_producers() {
    let plain = decoded(&reply(b"", b"", b"")).unwrap();
    for newer in [
        varint(900, 7),
        field(900, b"anything"),
        [vec![0xb9, 0x38], vec![0; 8]].concat(), // 903, 64 bits
        [vec![0xbd, 0x38], vec![0; 4]].concat(), // 903, 32 bits
        [vec![0xbb, 0x38], varint(1, 2), vec![0xbc, 0x38]].concat(), // 903, a group
        field(16, b"reserved for what will come"),
    ] {
        assert_eq!(decoded(&reply(b"", b"", &newer)).unwrap(), plain, "beside the action");
        assert_eq!(decoded(&reply(b"", &newer, b"")).unwrap(), plain, "inside the action");
        assert_eq!(decoded(&reply(&newer, b"", b"")).unwrap(), plain, "inside the content, and not passed on");
    }
}

#[test]
fn an_unknown_kind_of_action_or_content_is_none() {
    let unknown = [head(), field(16, b"")].concat();
    assert!(refusal(&unknown).starts_with("action must be exactly one of subscribe,"));
    let action = [field(1, b"7"), field(4, &field(15, b""))].concat();
    assert!(
        refusal(&[head(), field(12, &action)].concat()).starts_with("message.content must be exactly one of text,")
    );
}

#[test]
fn unknown_enum_values_are_invalid() {
    let subscribe =
        |tag: u32, value: u64| [head(), field(10, &[field(1, b"desk"), varint(tag, value)].concat())].concat();
    assert!(decoded(&subscribe(3, 3)).is_ok());
    for (value, expected) in [
        (
            subscribe(3, 4),
            "subscribe.licence has the unknown value 4; known: BUNDLE (1), STANDALONE (2), UPGRADED_PORTAL (3)",
        ),
        (subscribe(4, 3), "subscribe.display_others has the unknown value 3; known: FULL (1), MASKED (2)"),
        (subscribe(5, u64::MAX), "subscribe.share_own has the unknown value -1; known: FULL (1), MASKED (2)"),
        (
            reply(b"", &varint(4, 6), b""),
            "reply.origin has the unknown value 6; known: AGENT (1), BOT (2), AUTO_REPLY (3), WORKFLOW (4), NOTIFICATION (5)",
        ),
        (
            encoded(&json!({"command_id": "c1", "business_number": NUMBER,
                "message": {"customer": "7", "content": {"media": {"kind": 9}}}})),
            "message.content.media.kind has the unknown value 9; known: IMAGE (1), VIDEO (2), AUDIO (3), DOCUMENT (4), STICKER (5)",
        ),
    ] {
        assert_eq!(refusal(&value), expected);
    }
}

#[test]
fn fields_that_come_twice() {
    let plain = decoded(&reply(b"", b"", b"")).unwrap();
    // Of a single field the last one counts, wherever it is.
    assert_eq!(decoded(&[field(1, b"c0"), reply(b"", b"", b"")].concat()).unwrap(), plain);
    assert_eq!(decoded(&reply(b"", &field(2, b"mia"), &field(2, NUMBER.as_bytes()))).unwrap(), plain);
    let other = decoded(&reply(b"", &field(2, b"ravi"), b"")).unwrap();
    assert_ne!(other, plain);
    // Of a message inside, the parts are merged.
    let half = |action: &[u8]| field(13, action);
    let first = [field(1, b"desk"), field(2, b"mia")].concat();
    let second = [field(3, b"7"), field(5, &field(1, b"hi"))].concat();
    assert_eq!(decoded(&[half(&second), head(), half(&first)].concat()).unwrap(), plain);
    // Of a choice between several the last one counts, and what the others said is gone.
    let unsubscribe = field(11, &field(1, b"desk"));
    let last = decoded(&[reply(b"", b"", b""), unsubscribe.clone()].concat()).unwrap();
    assert!(matches!(last.action, Action::Unsubscribe { .. }));
    assert_eq!(decoded(&[unsubscribe, reply(b"", b"", b"")].concat()).unwrap(), plain);
    let caption = field(2, &[varint(1, 1), field(4, b"caption")].concat());
    let replaced = decoded(&reply(&[caption, field(1, b"hi")].concat(), b"", b"")).unwrap();
    assert_eq!(replaced, plain);
}

#[test]
fn what_is_encoded_otherwise_is_the_same() {
    // A varint in more bytes than it needs, and a default that is written out.
    let long = [head(), field(10, &[field(1, b"desk"), vec![0x20, 0x81, 0x80, 0x00]].concat())].concat();
    let Action::Subscribe(subscribe) = decoded(&long).unwrap().action else { panic!() };
    assert_eq!(subscribe.display_others, Visibility::Full);
    let written = [head(), vec![0x18, 0x00], field(10, &[field(1, b"desk"), field(2, b""), vec![0x18, 0x00]].concat())];
    assert!(decoded(&written.concat()).is_ok());
}
