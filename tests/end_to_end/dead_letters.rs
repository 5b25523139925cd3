//! Dead letters: what no service can be told about is kept as it was, and its headers say what is wrong with it and
//! where it lies.

use std::{collections::BTreeMap, time::Instant};

use partyline_log::{Offset, Partition, Records};
use partyline_projector::Settings;
use partyline_tests::{
    encode::encode,
    rig::{PATIENCE, Rig},
    workload::command,
};
use partyline_wire::partition_of;
use serde_json::{Value, json};

use crate::{ledger::tight, starts::NUMBER};

const PARTITIONS: u32 = 2;

/// A record: its key and its value.
type Bytes = (Vec<u8>, Vec<u8>);

/// By partition: what is kept, and its headers.
type Letters = BTreeMap<Partition, Vec<(Bytes, Vec<(String, String)>)>>;

/// A record of any topic, byte for byte.
#[derive(Debug, Clone, PartialEq)]
struct Raw {
    partition: Partition,
    offset: Offset,
    at_ms: i64,
    bytes: Bytes,
    headers: Vec<(String, String)>,
}

fn read(rig: &Rig, topic: &str) -> Vec<Raw> {
    let bounds = rig.log.bounds(topic).unwrap();
    let from: Vec<_> = bounds.iter().map(|bounds| (bounds.partition, bounds.begin)).collect();
    let mut reader = rig.log.reader(topic, &from).unwrap();
    let (mut records, mut raw, deadline) = (Records::default(), Vec::new(), Instant::now() + PATIENCE);
    while bounds.iter().any(|bounds| reader.position(bounds.partition) < bounds.end) {
        assert!(Instant::now() < deadline, "the end of {topic} was not reached");
        reader.next(&mut records, PATIENCE).unwrap();
        raw.extend(records.iter().map(|record| Raw {
            partition: record.partition,
            offset: record.offset,
            at_ms: record.at_ms,
            bytes: (record.key.unwrap_or_default().to_vec(), record.value.unwrap_or_default().to_vec()),
            headers: record.headers.to_vec(),
        }));
    }
    raw.sort_by_key(|raw| (raw.partition, raw.offset));
    raw
}

fn reply(id: &str, service: &str, text: &str) -> Value {
    let body = json!({"service": service, "agent": "mia", "customer": "7", "content": {"text": text}});
    command(id, NUMBER, "reply", body)
}

/// Records that become dead letters, each with its reason and detail.
fn letters() -> Vec<(Partition, Bytes, &'static str, &'static str)> {
    let (number, home) = (NUMBER.as_bytes().to_vec(), partition_of(NUMBER.as_bytes(), PARTITIONS));
    let good = encode(&reply("c1", "desk", "hi"));
    let untold = "no service of this number can be told";
    vec![
        (
            home,
            (number.clone(), b"\x0a\x02\xc3\x28".to_vec()),
            "INVALID",
            "record is not a partyline.v1.Command: Command.command_id: invalid string value: data is not UTF-8 encoded",
        ),
        (
            home,
            (number.clone(), encode(&reply("c 1", "desk", "hi"))),
            "INVALID",
            "command_id must be 1 to 64 bytes of [A-Za-z0-9._:-]",
        ),
        (home, (number.clone(), Vec::new()), "INVALID", "command_id must be 1 to 64 bytes of [A-Za-z0-9._:-]"),
        (1, (b"\xff\x00\xfe".to_vec(), good.clone()), "INVALID", "record has a key that is not its business_number"),
        (
            1 - home,
            (number.clone(), good),
            "INVALID",
            if home == 0 {
                "record lies in partition 1, its key belongs in 0 (murmur2)"
            } else {
                "record lies in partition 0, its key belongs in 1 (murmur2)"
            },
        ),
        // From a service that never subscribed, and for a number that nobody ever had.
        (home, (number, encode(&reply("c2", "ghost", "Grüße \u{1f4e6}"))), "NOT_SUBSCRIBED", untold),
        {
            let other = "+12345678";
            let message = json!({"customer": "7", "message_id": "w1", "content": {"text": "hi"}});
            let bytes = (other.as_bytes().to_vec(), encode(&command("c3", other, "message", message)));
            (partition_of(other.as_bytes(), PARTITIONS), bytes, "DISCONNECTED", untold)
        },
    ]
}

fn kept_as_they_were(rig: &Rig) {
    let letters = letters();
    // Among commands that are accepted, seen before, or rejected with somebody to be told.
    rig.publish(&[
        command("s1", NUMBER, "subscribe", json!({"service": "desk"})),
        command("s2", NUMBER, "subscribe", json!({"service": "crm"})),
        command("u2", NUMBER, "unsubscribe", json!({"service": "crm"})),
    ]);
    for (partition, (key, value), _, _) in &letters {
        rig.publish_raw(&[(*partition, key.clone(), value.clone())]);
        rig.publish(&[reply("c4", "desk", "hello"), reply("c5", "crm", "too late")]);
    }
    rig.project_to_end("projector", tight());
    // A life that builds the state anew tells nothing again.
    rig.project_to_end("another", Settings::default());

    let mut expected = Letters::new();
    let commands = rig.log.topics().commands.to_string();
    for Raw { partition, offset, at_ms, bytes, .. } in read(rig, &commands) {
        let letter = letters.iter().find(|(_, known, _, _)| *known == bytes);
        let Some((_, _, reason, detail)) = letter else { continue };
        let headers = [
            ("reason", (*reason).to_owned()),
            ("detail", (*detail).to_owned()),
            ("source", format!("{commands}/{partition}@{offset}")),
            ("at_ms", at_ms.to_string()),
        ];
        let headers = headers.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        expected.entry(partition).or_default().push((bytes, headers));
    }
    assert_eq!(expected.values().map(Vec::len).sum::<usize>(), letters.len());
    let mut found = Letters::new();
    for letter in read(rig, &rig.log.topics().dead_letters) {
        found.entry(letter.partition).or_default().push((letter.bytes, letter.headers));
    }
    assert_eq!(found, expected);
}

#[test]
fn embedded_kept_as_they_were() {
    kept_as_they_were(&Rig::embedded(PARTITIONS));
}

#[test]
fn kafka_kept_as_they_were() {
    kept_as_they_were(&Rig::kafka(PARTITIONS));
}
