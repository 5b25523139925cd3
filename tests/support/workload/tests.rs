//! The generators give what they promise; what the rules make of it is counted, so that no rule goes unmet.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::naive::{Fed, Naive, Outcome, validate};

/// Applies all commands; how often each outcome and each kind of row came.
fn tally(commands: &[Value]) -> (Naive, BTreeMap<String, usize>) {
    let mut naive = Naive::new();
    let mut counts = BTreeMap::new();
    for ((offset, command), at_ms) in (0..).zip(commands).zip(LogTime::new(7)) {
        let outcome = naive.apply(Fed { partition: 0, offset, at_ms, command });
        let name = match outcome {
            Outcome::Rejected { reason, dead_letter } => format!("{reason} {dead_letter}"),
            other => format!("{other:?}"),
        };
        *counts.entry(name).or_default() += 1;
    }
    for (_, row) in naive.topics().values().flatten() {
        let kinds = row.as_object().unwrap().keys().filter(|kind| *kind != "cause");
        for kind in kinds.cloned().chain(row["warning"]["kind"].as_str().map(str::to_owned)) {
            *counts.entry(kind).or_default() += 1;
        }
    }
    (naive, counts)
}

#[test]
fn the_mix_meets_every_rule() {
    let (_, counts) = tally(&random_mix(3, 6_000));
    let wanted = [
        "Accepted",
        "Duplicate",
        "DISCONNECTED true",
        "NOT_SUBSCRIBED true",
        "NOT_SUBSCRIBED false",
        "NOT_PARENT false",
        "PICKED_UP false",
        "NOT_HOLDER false",
        "TOO_MANY_SERVICES true",
        "REPLY_OVER_PICKUP",
        "UNSEEN_ENTRIES",
        "ALREADY_PICKED_UP",
        "TAKEN_OVER",
        "channel",
        "conversation",
        "entry",
        "warning",
        "rejection",
    ];
    for name in wanted {
        assert!(counts.contains_key(name), "{name} was never met");
    }
    assert_eq!(counts.get("Invalid"), None);
}

#[test]
fn dialogues_become_commands_of_several_numbers() {
    let text = r#"{"id":"1_7","services":["Ride_1"],"turns":[{"speaker":"USER","services":["Ride_1"],"text":"Hi"},{"speaker":"SYSTEM","services":["Ride_1"],"text":"Yes?"}]}"#;
    let file = std::env::temp_dir().join(format!("dialogues-{}.jsonl", std::process::id()));
    std::fs::write(&file, format!("{text}\n").repeat(300)).unwrap();
    let dialogues = load(&file, 150).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(dialogues.len(), 150);

    let commands = from_dialogues(&dialogues, 1, 3);
    assert_eq!(commands, from_dialogues(&dialogues, 1, 3), "same seed, same commands");
    let numbers: BTreeSet<_> = commands.iter().map(|command| command["business_number"].to_string()).collect();
    assert_eq!(numbers.len(), 3);
    assert_eq!(tally(&commands).1.get("Invalid"), None);
    let said = commands.iter().filter(|command| command["message"].is_object()).count();
    assert!(said >= 150, "every turn of every dialogue: {said}");
}

#[test]
fn bad_input_is_invalid_and_only_that() {
    let bad = invalid_commands();
    assert!(bad.len() >= 60, "{}", bad.len());
    for Malformed { line, why, encodable } in &bad {
        let parsed: Option<Value> = serde_json::from_slice(line).ok();
        assert!(parsed.is_none_or(|command| validate(&command).is_err()), "{why}: {}", String::from_utf8_lossy(line));
        assert!(encodable.as_ref().is_none_or(|command| validate(command).is_err()), "{why}");
    }
    for action in ["subscribe", "unsubscribe", "republish", "message", "reply", "pickup"] {
        let untouched = invalid::with(&format!("{action}/nothing"), Value::Null);
        assert_eq!(validate(&untouched).map(|(name, _)| name), Ok(action), "what is broken must be whole before");
    }
    let commands = random_mix(1, 1_000);
    let (clean, _) = tally(&commands);
    let (mixed, counts) = tally(&with_bad_input(&commands, 1));
    assert!(counts["Invalid"] > 5);
    assert!(clean.topics().keys().eq(mixed.topics().keys()));
}

#[test]
fn a_marker_is_seen_by_its_own_service_alone_when_all_is_masked() {
    let (commands, markers) = with_markers(&all_masked(&random_mix(2, 3_000)), 2);
    let unique: BTreeSet<_> = markers.iter().map(|(_, marker)| marker).collect();
    assert_eq!(unique.len(), markers.len());
    let (naive, _) = tally(&commands);
    let mut seen = 0;
    for (service, rows) in naive.topics() {
        let all: String = rows.iter().map(|(_, row)| row.to_string()).collect();
        for (owner, marker) in &markers {
            let found = all.contains(&format!("\"{marker}\""));
            assert!(!found || owner == service, "{service} reads {marker}");
            seen += usize::from(found);
        }
    }
    assert!(seen > markers.len() / 4, "{seen} of {}", markers.len());
}
