//! What is masked is nowhere: not in a row, not in a key, not in what is said of a refused command.

use partyline_tests::workload::{LogTime, all_masked, random_mix, with_markers};
use partyline_wire::{Placed, command_from_json, decode_command};
use serde_json::{Value, json};

use super::frozen::Frozen;

/// Every marker that a service other than its author's could find in its rows, and how often authors found their own.
fn leaks(commands: &[Value], markers: &[(String, String)], seed: u64) -> (Vec<String>, usize) {
    let mut ledger = Frozen::new(3);
    let (mut leaks, mut own) = (Vec::new(), 0);
    for ((offset, command), at_ms) in (0..).zip(commands).zip(LogTime::new(seed)) {
        let (_, rows) = ledger.apply(command, offset, at_ms);
        for (service, (key, value)) in
            rows.iter().flat_map(|(service, rows)| rows.iter().map(move |row| (service, row)))
        {
            for text in [key, value] {
                // Every marker begins so; only then is it worth asking which.
                let Some(at) = find(text, b"MARK-") else { continue };
                let (author, marker) =
                    markers.iter().find(|(_, marker)| text[at..].starts_with(marker.as_bytes())).unwrap();
                if author == service {
                    own += 1;
                } else {
                    leaks.push(format!("seed {seed}, command {offset}: {service} reads {marker}"));
                }
                assert_eq!(find(&text[at + 1..], b"MARK-"), None, "one row, one reply");
            }
        }
    }
    (leaks, own)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|part| part == what)
}

/// The commands with every viewer masking the others, whatever is shared.
fn all_masking(commands: &[Value]) -> Vec<Value> {
    let mut masking = commands.to_vec();
    for subscribe in masking.iter_mut().filter_map(|command| command.get_mut("subscribe")) {
        subscribe["display_others"] = json!("MASKED");
    }
    masking
}

#[test]
fn no_marker_is_in_anothers_rows() {
    for seed in 0..8 {
        let mix = random_mix(seed, 1_500);
        for masked in [all_masked(&mix), all_masking(&mix)] {
            let (commands, markers) = with_markers(&masked, seed);
            let (leaks, own) = leaks(&commands, &markers, seed);
            assert!(leaks.is_empty(), "{leaks:#?}");
            assert!(own > 100, "only {own} rows of an author's own were looked at");
        }
    }
}

#[test]
fn with_nothing_masked_they_are_found() {
    let (commands, markers) = with_markers(&random_mix(1, 1_500), 1);
    assert!(leaks(&commands, &markers, 1).0.len() > 50);
}

/// Whatever is wrong with a command, what is said of it never quotes what somebody wrote.
#[test]
fn refusals_quote_nothing() {
    const MARK: &str = "MARK secret";
    let long = format!("{MARK}{}", "x".repeat(5_000));
    let reply = |content: Value| {
        let body = json!({"service": "desk", "agent": "mia", "customer": "7", "content": content});
        json!({"command_id": "c1", "business_number": "+4930111222", "reply": body})
    };
    let refused = [
        reply(json!(MARK)),
        reply(json!([MARK])),
        reply(json!({ MARK: MARK })),
        reply(json!({"text": [MARK]})),
        reply(json!({"text": {"text": MARK}})),
        reply(json!({"text": long})),
        reply(json!({"media": MARK})),
        reply(json!({"media": {"kind": MARK}})),
        reply(json!({"media": {"kind": "IMAGE", "caption": long}})),
        reply(json!({"text": MARK, "choice": {"id": MARK, "title": MARK}})),
        reply(json!({"interactive": {"text": MARK, "options": [{"id": "a", "title": long}]}})),
        reply(json!({"interactive": {"text": MARK, "options": MARK}})),
        reply(json!({"template": {"parameters": [MARK, 7]}})),
        reply(json!({"location": {"latitude": MARK}})),
        json!({"command_id": MARK, "business_number": MARK, "reply": MARK}),
        json!({"command_id": "c1", "business_number": "+4930111222", "reply": {"seen_seq": MARK, "agent": MARK}}),
    ];
    let mut lines: Vec<String> = refused.iter().map(Value::to_string).collect();
    lines.extend([
        format!("{{\"text\":\"{MARK}"),
        MARK.to_owned(),
        format!("\"{MARK}\""),
        format!("{{\"a\":\"{MARK}\\q\"}}"),
    ]);
    for line in &lines {
        let said = command_from_json(line).unwrap_err().to_string();
        assert!(!said.contains("secret"), "{said}");
    }
    let noise = [MARK.as_bytes(), b"\x0a\x0bMARK secret", b"\x12\x0cMARK secret\xff", b"\x6a\x0d\x0a\x0bMARK secret"];
    for value in noise {
        let placed = Placed { partition: 0, partitions: 1 };
        let said = decode_command(Some(MARK.as_bytes()), Some(value), placed).unwrap_err().to_string();
        assert!(!said.contains("secret"), "{said}");
    }
}
