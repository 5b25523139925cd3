//! Bounds hold: memory of the real binary over a million commands, and a million bad lines.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use partyline_tests::{
    encode::encode,
    process::{Running, binary},
    rig::{PATIENCE, Rig, bootstrap},
    workload::command,
};
use serde_json::{Value, json};

const COMMANDS: usize = 1_000_000;
const MB: u64 = 1 << 20;

/// Messages and replies over 100,000 conversations of 16 numbers with four services each, in blocks; how often a
/// conversation comes is as 1 / its rank.
fn load(rig: &Rig) {
    let number = |n: usize| format!("+4930{:07}", n % 16);
    let services = ["desk", "crm", "marketing", "sales"];
    let subscribe = |n: usize| {
        let service = services[n / 16];
        command(&format!("s{n}"), &number(n), "subscribe", json!({"service": service, "display_others": "FULL"}))
    };
    let talk = |n: usize| {
        let even = (n as f64 * 0.618_033_988_749_895).fract();
        let rank = 100_000_f64.powf(even) as usize;
        let (number, customer) = (number(rank), format!("+49151{rank:07}"));
        let content = json!({"text": "Could you tell me when it will be here, and whether I must be at home for it?"});
        if n.is_multiple_of(2) {
            let body = json!({"customer": customer, "message_id": format!("wamid.{n:020}"), "content": content});
            command(&format!("m{n}"), &number, "message", body)
        } else {
            let (service, agent) = (services[n % 4], format!("agent{}", n % 50));
            let body = json!({"service": service, "agent": agent, "customer": customer, "content": content});
            command(&format!("r{n}"), &number, "reply", body)
        }
    };
    rig.publish(&(0..64).map(subscribe).collect::<Vec<Value>>());
    for block in 0..(COMMANDS / 50_000) {
        rig.publish(&(block * 50_000..(block + 1) * 50_000).map(talk).collect::<Vec<Value>>());
    }
}

/// Runs it to its end; the most memory it had, bytes.
fn peak(mut running: Running) -> u64 {
    let deadline = Instant::now() + 3 * PATIENCE;
    let mut peak = 0;
    loop {
        peak = running.peak_rss_bytes().unwrap_or_default().max(peak);
        if let Some(status) = running.ended_within(Duration::from_millis(20)) {
            assert!(status.success(), "{status}: {}", running.said());
            return peak;
        }
        assert!(Instant::now() < deadline, "did not end: {}", running.said());
    }
}

#[test]
fn kafka_memory() {
    let rig = Rig::kafka(8);
    load(&rig);
    let prefix = rig.prefix();
    let (log, data) = (format!("kafka:{}", bootstrap()), rig.data("data").root().display().to_string());
    let run = |verbs: &[&str]| {
        let args = [&["--log", log.as_str(), "--data", data.as_str()], verbs].concat();
        let begun = Instant::now();
        let peak = peak(Running::start(&args, &[("PARTYLINE_PREFIX", &prefix)], &rig.dir.path().join("said")));
        eprintln!("{verbs:?}: {} MB in {:.1} s", peak / MB, begun.elapsed().as_secs_f64());
        peak
    };
    assert!(run(&["project", "--until-end"]) < 512 * MB);
    assert!(run(&["view", "follow", "desk", "--until-end"]) < 256 * MB);
}

/// Records that are no commands: each is answered and kept, and costs no more than a command.
#[test]
fn a_million_bad_records() {
    let rig = Rig::embedded(1);
    let kinds = [
        encode(&command("c1", "+4930111222", "subscribe", json!({"service": "Desk"}))),
        encode(&command("c1", "+4930111223", "republish", json!({"service": "desk"}))),
        b"{\"command_id\":\"c1\"}".to_vec(),
        Vec::new(),
    ];
    let block: Vec<_> = (0..50_000).map(|n| (0, b"+4930111222".to_vec(), kinds[n % kinds.len()].clone())).collect();
    for _ in 0..COMMANDS / block.len() {
        rig.publish_raw(&block);
    }
    let log = format!("embedded:{}", rig.dir.path().join("log").display());
    let data = rig.data("data").root().display().to_string();
    let begun = Instant::now();
    let args = ["--log", &log, "--data", &data, "project", "--until-end"];
    let peak = peak(Running::start(&args, &[], &rig.dir.path().join("said")));
    let time = begun.elapsed();
    eprintln!("a million bad records: {} MB in {time:.1?}", peak / MB);
    assert!(peak < 512 * MB, "{} MB", peak / MB);
    assert!(time < PATIENCE / 2, "{time:?}");
    let letters = rig.log.bounds(&rig.log.topics().dead_letters).unwrap();
    assert_eq!(letters[0].end, COMMANDS as u64);
}

#[test]
fn a_million_bad_lines() {
    let rig = Rig::embedded(1);
    let data = rig.data("data").root().display().to_string();
    let errors = rig.dir.path().join("errors");
    let begun = Instant::now();
    let mut child = Command::new(binary())
        .args(["--data", &data, "publish", "-"])
        .stdin(Stdio::piped())
        .stderr(std::fs::File::create(&errors).unwrap())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let block = br#"{"command_id":"c1","business_number":"+4930111222","subscribe":{"service":"Desk"}}
"#
    .repeat(10_000);
    for _ in 0..COMMANDS / 10_000 {
        stdin.write_all(&block).unwrap();
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let peak_kb = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
    let peak_kb: u64 = peak_kb.trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kb < 100 * 1024, "{peak_kb} kB");
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    let errors = std::fs::read_to_string(errors).unwrap();
    assert_eq!(errors.lines().filter(|line| line.contains("subscribe.service")).count(), COMMANDS);
    assert!(errors.contains("1000000"), "the last bad line's number is told");
}
