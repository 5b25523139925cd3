//! Records that are refused, each with its message.

use super::{ALONE, NUMBER, field, head, refusal, varint};
use crate::{MAX_COMMAND_BYTES, Placed, decode_command};

fn command() -> Vec<u8> {
    [head(), field(15, &field(1, b"desk"))].concat()
}

/// Its key, its value, where it lies, and what is said of it.
type Record<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, Placed, &'a str);

#[test]
fn records() {
    let (key, value) = (Some(NUMBER.as_bytes()), command());
    let too_large = vec![0; MAX_COMMAND_BYTES + 1];
    let elsewhere = Placed { partition: 1, partitions: 12 };
    let table: [Record<'_>; 9] = [
        (key, None, ALONE, "record has no value"),
        (None, None, ALONE, "record has no value"),
        (None, Some(&value), ALONE, "record has no key; it must be the business_number"),
        (Some(b""), Some(&value), ALONE, "record has a key that is not its business_number"),
        (Some(b"+4930111223"), Some(&value), ALONE, "record has a key that is not its business_number"),
        (Some(b"\xff\xfe"), Some(&value), ALONE, "record has a key that is not its business_number"),
        (key, Some(&too_large), ALONE, "record must be at most 65536 bytes, has 65537"),
        (key, Some(&value), elsewhere, "record lies in partition 1, its key belongs in 3 (murmur2)"),
        (key, Some(b""), ALONE, "command_id must be 1 to 64 bytes of [A-Za-z0-9._:-]"),
    ];
    for (key, value, placed, expected) in table {
        assert_eq!(decode_command(key, value, placed).unwrap_err().to_string(), expected);
    }
    assert!(decode_command(key, Some(&value), ALONE).is_ok());
}

#[test]
fn values_that_are_no_command() {
    let not = "record is not a partyline.v1.Command: ";
    let table: [(Vec<u8>, &str); 8] = [
        (b"\x00".to_vec(), "invalid tag value: 0"),
        (
            b"{\"command_id\":\"c1\"}".to_vec(),
            "Command.action: invalid wire type: StartGroup (expected LengthDelimited)",
        ),
        (b"\x0a\x05c1".to_vec(), "Command.command_id: buffer underflow"),
        (b"\x0a\x02\xff\xfe".to_vec(), "Command.command_id: invalid string value: data is not UTF-8 encoded"),
        (varint(1, 7), "Command.command_id: invalid wire type: Varint (expected LengthDelimited)"),
        (
            vec![0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            "Command.issued_at_ms: invalid varint",
        ),
        ([head(), field(13, b"\x0a\x09desk")].concat(), "Reply.service: Command.action: buffer underflow"),
        (vec![0xff; 20], "invalid varint"),
    ];
    let said: Vec<_> = table.iter().map(|(value, _)| refusal(value)).collect();
    let expected: Vec<_> = table.iter().map(|(_, detail)| format!("{not}{detail}")).collect();
    assert_eq!(said, expected);
    // As deep as it likes: an unknown field of groups in groups.
    assert_eq!(refusal(&[0xbb, 0x38].repeat(30_000)), format!("{not}recursion limit reached"));
}

#[test]
fn values_beyond_a_bound() {
    let reply = |fields: &[Vec<u8>]| [head(), field(13, &fields.concat())].concat();
    let good = || vec![field(1, b"desk"), field(2, b"mia"), field(3, b"7"), field(5, &field(1, b"hi"))];
    assert!(super::decoded(&reply(&good())).is_ok());
    let with = |more: Vec<u8>| reply(&[good(), vec![more]].concat());
    let content = |body: Vec<u8>| with(field(5, &body));
    let location = |tag: u8, value: f64| content(field(3, &[&[tag][..], &value.to_le_bytes()].concat()));
    for (value, expected) in [
        (head(), "action must be exactly one of subscribe, unsubscribe, message, reply, pickup, republish"),
        (field(1, b"c1"), "business_number must be + and 8 to 15 digits"),
        (with(field(1, b"")), "reply.service must be [a-z][a-z0-9-]{0,31}"),
        (with(field(2, b"")), "reply.agent is required unless origin is automation"),
        (with(field(3, b"a b")), "reply.customer must be 1 to 64 bytes of [A-Za-z0-9+._:-]"),
        (with(field(7, &[b'i'; 257])), "reply.in_reply_to must be at most 256 bytes, has 257"),
        (content(field(1, b"")), "reply.content.text must not be empty"),
        (content(field(1, &[b'x'; 4_097])), "reply.content.text must be at most 4096 characters, has 4097"),
        (location(0x09, f64::NAN), "reply.content.location.latitude must be -90 to 90 degrees"),
        (location(0x09, f64::INFINITY), "reply.content.location.latitude must be -90 to 90 degrees"),
        (location(0x11, -180.000_001), "reply.content.location.longitude must be -180 to 180 degrees"),
    ] {
        assert_eq!(refusal(&value), expected);
    }
}
