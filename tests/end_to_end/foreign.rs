//! All three users, on a real Kafka: a producer and a consumer that know nothing but the .proto files (Python), and an
//! operator with the binary.

use std::collections::BTreeMap;

use partyline_log::TopicKind;
use partyline_tests::{
    encode::key,
    naive::{Fed, Naive},
    process::run,
    python::script,
    rig::{Rig, bootstrap},
    workload,
};
use serde_json::Value;

#[test]
fn kafka_users() {
    let rig = Rig::kafka(3);
    let broker = bootstrap();
    let prefix = rig.prefix();
    let commands = workload::from_dialogues(&workload::dialogues(40).unwrap(), 9, 3);
    let lines: String = commands.iter().map(|command| format!("{command}\n")).collect();

    // A producer.
    script("publish.py", &["--bootstrap", &broker, "--prefix", &prefix], lines.as_bytes());

    // An operator.
    let log = format!("kafka:{broker}");
    let data = rig.data("operator").root().display().to_string();
    let env = [("PARTYLINE_PREFIX", prefix.as_str())];
    let operate = |args: &[&str]| {
        let output = run(&[&["--log", &log, "--data", &data, "--json"], args].concat(), &env);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()
    };
    let summary = operate(&["project", "--until-end"]);
    assert_eq!(summary["commands"], commands.len());

    // The commands as the log has them: every producer's copy of one command has the same bytes in JSON.
    let mut naive = Naive::new();
    let by_id: BTreeMap<_, &Value> =
        commands.iter().map(|c| ((key(c).to_owned(), c["command_id"].as_str().unwrap().to_owned()), c)).collect();
    assert_eq!(rig.log.topics().kind(&rig.log.topics().commands), Some(TopicKind::Commands));
    for record in rig.read(&rig.log.topics().commands) {
        let command = by_id[&(record.key.clone(), command_id(&record.value))];
        naive.apply(Fed { partition: record.at.0, offset: record.at.1, at_ms: record.at_ms, command });
    }
    assert!(rig.services().len() >= 3);
    for service in rig.services() {
        // A consumer.
        let read = script("consume.py", &["--bootstrap", &broker, "--prefix", &prefix, "--until-end", &service], b"");
        let rows = read.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let view: BTreeMap<String, Value> = rows.filter_map(latest).collect();
        let expected: BTreeMap<String, Value> =
            naive.view(&service).into_iter().map(|(key, row)| (key, without_index(row))).collect();
        assert_eq!(view.len(), expected.len(), "{service}");
        for (key, row) in &expected {
            assert_eq!(view.get(key), Some(row), "{service}: {key}");
        }
        operate(&["view", "follow", &service, "--until-end"]);
        let followed = operate(&["view", "digest", &service]);
        let replayed = operate(&["replay", &service]);
        assert_eq!(followed["digest"], replayed["digest"], "{service}");
        assert_eq!(followed["rows"], view.len(), "{service}");
    }
}

/// Every single row, not only the newest of each key, of a dense mix with bad input, duplicates and rejections.
#[test]
fn kafka_foreign_rows() {
    let rig = Rig::kafka(3);
    let commands = workload::with_bad_input(&workload::random_mix(22, 3_000), 22);
    rig.publish(&commands);
    rig.project_to_end("projector", super::ledger::tight());
    let (broker, prefix) = (bootstrap(), rig.prefix());
    rig.rows_read_equal_naive(&commands, |service| {
        let read = script("consume.py", &["--bootstrap", &broker, "--prefix", &prefix, "--until-end", service], b"");
        let rows = read.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.filter_map(|mut row| {
            let fields = row.as_object_mut().unwrap();
            let partition = fields.remove("partition").unwrap().as_u64().unwrap() as u32;
            let key = fields.remove("key").unwrap().as_str().unwrap().to_owned();
            (!key.starts_with("position/")).then_some((partition, key, row))
        })
        .collect()
    });
}

/// The first field of an encoded command.
fn command_id(value: &[u8]) -> String {
    assert_eq!(value[0], 0x0a);
    String::from_utf8(value[2..2 + usize::from(value[1])].to_vec()).unwrap()
}

/// A row as a later one replaces it; position rows are not part of the view.
fn latest(mut row: Value) -> Option<(String, Value)> {
    let fields = row.as_object_mut()?;
    fields.remove("partition");
    let key = fields.remove("key")?.as_str()?.to_owned();
    (!key.starts_with("position/")).then(|| (key, without_index(row)))
}

fn without_index(mut row: Value) -> Value {
    if let Some(cause) = row["cause"].as_object_mut() {
        cause.remove("index");
    }
    row
}
