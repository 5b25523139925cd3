//! The JSON examples of the contract, both ways, and its example of a row.

use std::sync::Arc;

use partyline_ledger::{
    Action, Agent, At, Author, BusinessNumber, Channel, ChannelId, Content, Customer, EntryRow, Licence, Number,
    Origin, Row, Service, Shown, Visibility,
};
use serde_json::{Value, json};

use super::{NUMBER, decoded, encoded, json_of};
use crate::{Cause, PositionRow, command_from_json, encode_row, row_key, row_to_json};

const EXAMPLES: [&str; 4] = [
    r#"{"command_id":"c1","business_number":"+4930111222","subscribe":{"service":"desk"}}"#,
    r#"{"command_id":"c2","business_number":"+4930111222","message":{"customer":"+4915155501","message_id":"wamid.A1","content":{"text":"Where is my parcel?"}}}"#,
    r#"{"command_id":"c3","business_number":"+4930111222","reply":{"service":"desk","agent":"mia","customer":"+4915155501","content":{"text":"On its way."},"seen_seq":1}}"#,
    r#"{"command_id":"c4","business_number":"+4930111222","pickup":{"service":"crm","agent":"ravi","customer":"+4915155501","hold_for_s":600}}"#,
];

const MASKED: &str = r#"{"cause":{"offset":17},"entry":{"channel_id":"+4930111222","customer":"+4915155501","seq":2,"author":{"service":"desk","agent":"mia","origin":"AGENT"},"visibility":"MASKED","source":{"partition":1,"offset":17},"at_ms":1767225600000}}"#;

#[test]
fn commands_both_ways() {
    for example in EXAMPLES {
        let line = command_from_json(example).unwrap();
        let json: Value = serde_json::from_str(example).unwrap();
        assert_eq!(line.value, encoded(&json));
        assert_eq!(decoded(&line.value).unwrap(), line.command);
        assert_eq!(json_of("partyline.v1.Command", &line.value), json);
    }
}

#[test]
fn defaults_are_the_contracts() {
    let Action::Subscribe(subscribe) = command_from_json(EXAMPLES[0]).unwrap().command.action else { panic!() };
    assert_eq!((subscribe.licence, subscribe.product), (Licence::Bundle, None));
    assert_eq!((subscribe.display_others, subscribe.share_own), (Visibility::Masked, Visibility::Full));
    let Action::Reply(reply) = command_from_json(EXAMPLES[2]).unwrap().command.action else { panic!() };
    assert_eq!(reply.origin, Origin::Agent(Agent::new("mia").unwrap()));
    let unsaid = EXAMPLES[3].replace(r#","hold_for_s":600"#, "");
    let Action::Pickup(pickup) = command_from_json(&unsaid).unwrap().command.action else { panic!() };
    assert_eq!((pickup.hold_for_s, pickup.take_over, pickup.release), (1_800, false, false));
}

#[test]
fn numbers_may_be_strings_and_nulls_say_nothing() {
    // As protobuf's JSON mapping has it.
    let plain = command_from_json(EXAMPLES[2]).unwrap().value;
    for same in [
        EXAMPLES[2].replace(r#""seen_seq":1"#, r#""seen_seq":"1""#),
        EXAMPLES[2].replace(r#""seen_seq":1"#, r#""seen_seq":1.0"#),
        EXAMPLES[2].replace(r#""seen_seq":1"#, r#""seen_seq":1,"origin":null,"in_reply_to":null"#),
        EXAMPLES[2]
            .replace(r#""command_id":"c3","#, "")
            .replace(r#"{"business"#, r#"{"message":null,"command_id":"c3","business"#),
        format!("  {}  ", EXAMPLES[2].replace(',', " ,\t")),
    ] {
        assert_eq!(command_from_json(&same).unwrap().value, plain, "{same}");
    }
}

fn channel() -> ChannelId {
    Channel::Shared.id(&BusinessNumber::new(NUMBER).unwrap(), &Number::default())
}

/// The reply c3, masked or in full.
fn entry(shown: Option<Shown>) -> Row {
    let At { offset, time_ms } = At { offset: 17, time_ms: 1_767_225_600_000 };
    Row::Entry(EntryRow {
        channel: channel(),
        customer: Customer::new("+4915155501").unwrap(),
        seq: 2,
        author: Some(Author {
            service: Service::new("desk").unwrap(),
            origin: Origin::Agent(Agent::new("mia").unwrap()),
        }),
        shown,
        offset,
        at_ms: time_ms,
    })
}

fn value(row: &Row) -> Vec<u8> {
    let mut value = Vec::new();
    encode_row(&mut value, row, Cause { partition: 1, offset: 17, index: 0 });
    value
}

#[test]
fn the_example_row() {
    let row = entry(None);
    let mut key = Vec::new();
    row_key(&mut key, &row);
    assert_eq!(String::from_utf8(key).unwrap(), "entry/+4930111222/+4915155501/00000000000000000002");
    let json: Value = serde_json::from_str(MASKED).unwrap();
    assert_eq!(row_to_json(&value(&row)), Some(json));
}

#[test]
fn what_a_masked_row_lacks() {
    let shown = Shown {
        content: Content(Arc::from(field_text("On its way."))),
        message_id: "wamid.B".into(),
        in_reply_to: "wamid.A1".into(),
        sent_at_ms: 5,
        command_id: partyline_ledger::CommandId::new("c3").ok(),
    };
    let mut full: Value = serde_json::from_str(MASKED).unwrap();
    full["entry"]["visibility"] = json!("FULL");
    full["entry"]["content"] = json!({"text": "On its way."});
    full["entry"]["message_id"] = json!("wamid.B");
    full["entry"]["in_reply_to"] = json!("wamid.A1");
    full["entry"]["sent_at_ms"] = json!(5);
    full["entry"]["command_id"] = json!("c3");
    assert_eq!(row_to_json(&value(&entry(Some(shown)))), Some(full));
}

fn field_text(text: &str) -> Vec<u8> {
    super::field(1, text.as_bytes())
}

#[test]
fn the_row_in_bytes() {
    // Worked out from the .proto, a field a line: what a consumer in any language gets.
    let fields = [
        "0a020811",
        "223a",
        "0a0b2b34393330313131323232",
        "120b2b34393135313535353031",
        "1802",
        "220d0a046465736b12036d69611801",
        "2802",
        "5a0408011011",
        "6080d0eab6b733",
    ];
    let hex = fields.concat();
    let byte = |n: usize| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap();
    let expected: Vec<u8> = (0..hex.len() / 2).map(byte).collect();
    assert_eq!(value(&entry(None)), expected);
}

#[test]
fn position_rows() {
    for row in [
        PositionRow { partition: 0, next_offset: 0, at_ms: 0 },
        PositionRow { partition: 3, next_offset: 1_000, at_ms: 1_767_225_600_000 },
        PositionRow { partition: u32::MAX, next_offset: u64::MAX, at_ms: i64::MIN },
    ] {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        row.key(&mut key);
        row.encode(&mut value);
        assert_eq!(String::from_utf8(key.clone()).unwrap(), format!("position/{}", row.partition));
        assert!(key.starts_with(PositionRow::KEY_PREFIX));
        assert_eq!(PositionRow::decode(&value), Some(row));
    }
    assert_eq!(PositionRow::decode(&value(&entry(None))), None);
    assert_eq!(PositionRow::decode(b"\xff"), None);
    let mut value = Vec::new();
    PositionRow { partition: 2, next_offset: 9, at_ms: 4 }.encode(&mut value);
    assert_eq!(row_to_json(&value), Some(json!({"position": {"partition": 2, "next_offset": 9, "at_ms": 4}})));
}
