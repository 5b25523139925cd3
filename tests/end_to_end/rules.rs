//! Every row right: the ledger's rows equal those of the naive implementation, command by command.

use std::collections::BTreeMap;

use partyline_tests::{
    encode::{encode, key},
    model::Model,
    naive::{self, Fed, Naive},
    workload,
};
use partyline_wire::row_to_json;
use serde_json::Value;

type Rows = BTreeMap<String, Vec<(String, Value)>>;

/// Feeds both, and compares outcomes and rows after each command.
fn agree(what: &str, commands: &[Value], seed: u64) {
    let (mut model, mut naive) = (Model::default(), Naive::new());
    for (offset, (command, at_ms)) in commands.iter().zip(workload::LogTime::new(seed)).enumerate() {
        let offset = offset as u64;
        let did = model.apply(key(command), &encode(command), offset, at_ms);
        let outcome = naive.apply(Fed { partition: 0, offset, at_ms, command });
        let place = || format!("{what}, seed {seed}, command {offset}: {command}");
        assert_eq!(name(did.outcome), name_naive(&outcome), "{}", place());
        let rows: Rows = did
            .rows
            .into_iter()
            .map(|(service, rows)| {
                (service, rows.into_iter().map(|(key, value)| (key, row_to_json(&value).unwrap())).collect())
            })
            .collect();
        let (rows, expected) = (comparable(command, rows), comparable(command, naive.take_topics()));
        assert_eq!(rows, expected, "{}", place());
    }
}

/// The contract fixes no order within a history, so its rows are compared by key and without their index.
fn comparable(command: &Value, mut rows: Rows) -> Rows {
    rows.retain(|_, rows| !rows.is_empty());
    let retells = ["subscribe", "unsubscribe", "republish"].iter().any(|action| command.get(action).is_some());
    for rows in rows.values_mut().filter(|_| retells) {
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        for (_, row) in rows {
            row["cause"].as_object_mut().unwrap().remove("index");
        }
    }
    rows
}

fn name(outcome: Option<partyline_ledger::Outcome>) -> String {
    match outcome {
        None => "invalid".to_owned(),
        Some(partyline_ledger::Outcome::Accepted) => "accepted".to_owned(),
        Some(partyline_ledger::Outcome::Duplicate) => "duplicate".to_owned(),
        Some(partyline_ledger::Outcome::Rejected { reason, dead_letter }) => format!("{reason} {dead_letter}"),
    }
}

fn name_naive(outcome: &naive::Outcome) -> String {
    match outcome {
        naive::Outcome::Invalid => "invalid".to_owned(),
        naive::Outcome::Accepted => "accepted".to_owned(),
        naive::Outcome::Duplicate => "duplicate".to_owned(),
        naive::Outcome::Rejected { reason, dead_letter } => format!("{reason} {dead_letter}"),
    }
}

#[test]
fn random_mixes_of_all_actions() {
    for seed in 0..24 {
        agree("random mix", &workload::random_mix(seed, 1_500), seed);
    }
    agree("random mix with many services", &workload::random_mix(3, 4_000), 3);
}

#[test]
fn bad_input_among_good() {
    agree("bad input", &workload::with_bad_input(&workload::random_mix(7, 3_000), 7), 7);
}

#[test]
fn real_dialogues() {
    let dialogues = workload::dialogues(150).unwrap();
    for seed in 0..4 {
        agree("dialogues", &workload::from_dialogues(&dialogues, seed, 3), seed);
    }
}
