//! Where rows go: a view topic that is missing, may not be made, cannot be made or is of no use never stops the log.

use std::time::{Duration, Instant};

use partyline_log::TopicKind;
use partyline_projector::{Counts, Settings};
use partyline_tests::{
    rig::{Rig, exactly_once},
    workload::command,
};
use serde_json::{Value, json};

use crate::starts::NUMBER;

/// Longer than a service without a topic is left alone.
const LATER: Duration = Duration::from_secs(31);

fn subscribe(id: &str, service: &str) -> Value {
    command(id, NUMBER, "subscribe", json!({"service": service}))
}

fn message(id: &str) -> Value {
    let body = json!({"customer": "+4915100000001", "message_id": id, "content": {"text": "x"}});
    command(id, NUMBER, "message", body)
}

/// Projects these commands, as if it were so much later.
fn project_at(rig: &Rig, settings: &Settings, after: Duration, commands: &[Value]) -> Counts {
    let mut project = rig.project("one", settings.clone()).unwrap();
    let now = Instant::now() + after;
    rig.publish(commands);
    let end = rig.log.bounds(&rig.log.topics().commands).unwrap()[0].end;
    rig.step_until(&mut project, || now, |project| project.positions().any(|(_, at)| at >= end)).unwrap();
    project.close(now).unwrap()
}

/// Two services, of which `crm` has no topic of use: the other one's rows all go out, and those of `crm` are counted.
fn goes_on(rig: &Rig, crm: &str, settings: &Settings) {
    let commands = [subscribe("s1", "desk"), subscribe("s2", crm), message("m1")];
    let counts = project_at(rig, settings, Duration::ZERO, &commands);
    // Its channel, the conversation, the entry.
    assert_eq!((counts.commands, counts.unrouted), (3, 3));
    assert_eq!(rig.rows("desk").len(), 4);
    exactly_once(&rig.rows("desk"));
}

fn another_partition_count(rig: &Rig) {
    rig.log.create(&rig.log.topics().view("crm"), TopicKind::View, 2).unwrap();
    goes_on(rig, "crm", &Settings::default());
    assert!(rig.rows("crm").is_empty());
}

#[test]
fn embedded_topic_with_another_partition_count() {
    another_partition_count(&Rig::embedded(1));
}

#[test]
fn kafka_topic_with_another_partition_count() {
    another_partition_count(&Rig::kafka(1));
}

#[test]
fn kafka_topic_that_the_broker_refuses() {
    // With it the name of a view topic becomes longer than the 249 characters that a broker allows.
    let service = "a".repeat(32);
    goes_on(&Rig::kafka_named(&"p".repeat(200), 1), &service, &Settings::default());
}

#[test]
fn services_that_are_not_configured() {
    let rig = Rig::embedded(1);
    goes_on(&rig, "crm", &Settings { services: Some(["desk".to_owned()].into()), ..Settings::default() });
    assert_eq!(rig.services(), ["desk"]);
}

/// A topic that somebody makes later is found, and `republish` fills it.
#[test]
fn a_topic_that_comes_later() {
    let rig = Rig::embedded(1);
    rig.log.create(&rig.log.topics().view("desk"), TopicKind::View, 1).unwrap();
    let settings = Settings { create_topics: false, ..Settings::default() };
    goes_on(&rig, "crm", &settings);
    assert_eq!(rig.services(), ["desk"]);
    let republish = command("r1", NUMBER, "republish", json!({"service": "crm"}));
    let counts = project_at(&rig, &settings, Duration::ZERO, &[message("m2")]);
    assert_eq!(counts.unrouted, 1);
    rig.log.create(&rig.log.topics().view("crm"), TopicKind::View, 1).unwrap();
    let counts = project_at(&rig, &settings, LATER, &[republish]);
    assert_eq!(counts.unrouted, 0);
    assert_eq!(rig.rows("crm").len(), 4);
    assert_eq!(rig.views_equal_replays().len(), 2);
}

/// Bytes that many services see count for each of them: a broker aborts what it has not got whole after ten seconds.
#[test]
fn many_services_that_see_much() {
    let rig = Rig::embedded(1);
    let services: Vec<String> = (0..100).map(|n| format!("s{n}")).collect();
    rig.publish(&services.iter().map(|service| subscribe(service, service)).collect::<Vec<_>>());
    rig.project_to_end("one", Settings::default());
    let parameters = vec!["x".repeat(1_000); 60];
    let content = json!({"template": {"name": "t", "language": "de", "parameters": parameters}});
    let large = |n: usize| {
        let body = json!({"customer": "+4915100000001", "message_id": format!("w{n}"), "content": content});
        command(&format!("m{n}"), NUMBER, "message", body)
    };
    let before = rig.read(&rig.log.topics().outcomes).len();
    rig.publish(&(0..15).map(large).collect::<Vec<_>>());
    let settings = Settings { batch_age: Duration::from_secs(60), ..Settings::default() };
    rig.project_to_end("one", settings);
    let transactions = rig.read(&rig.log.topics().outcomes).len() - before;
    assert_eq!(transactions, 2, "of 90 MB, at most 64 MB and one command each");
}
