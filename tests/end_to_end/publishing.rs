//! `partyline publish`, as a person and as a program use it: what each line came to, and how it ends.

use std::{
    fs,
    path::PathBuf,
    process::Output,
    time::{Duration, Instant},
};

use partyline_tests::{
    encode::encode,
    process::{Running, run},
    rig::{PATIENCE, Rig},
    workload::command,
};
use serde_json::{Value, json};

/// They lie in different partitions.
const NUMBERS: [&str; 2] = ["+4930111222", "+4930111223"];

fn subscribe(id: &str, number: &str) -> Value {
    command(id, number, "subscribe", json!({"service": "desk"}))
}

fn message(id: &str, number: &str, message_id: &str) -> Value {
    let body = json!({"customer": "7", "message_id": message_id, "content": {"text": "Where is my parcel?"}});
    command(id, number, "message", body)
}

fn reply(id: &str, number: &str, origin: &str) -> Value {
    let body = json!({"service": "desk", "agent": "mia", "customer": "7", "origin": origin, "content": {"text": "On its way."}});
    command(id, number, "reply", body)
}

fn unsubscribe(id: &str, number: &str, service: &str) -> Value {
    command(id, number, "unsubscribe", json!({"service": service}))
}

/// A log and, if wanted, `partyline up` on it.
struct Scene {
    rig: Rig,
    log: String,
    _up: Option<Running>,
}

impl Scene {
    /// Nothing applies what is published.
    fn asleep() -> Self {
        let rig = Rig::embedded(2);
        let log = format!("embedded:{}", rig.dir.path().join("log").display());
        Self { rig, log, _up: None }
    }

    fn up() -> Self {
        let mut scene = Self::asleep();
        let (data, said) = (scene.rig.data("up").root().display().to_string(), scene.rig.dir.path().join("said"));
        let mut up = Running::start(&["--log", &scene.log, "--data", &data, "up"], &[], &said);
        let deadline = Instant::now() + PATIENCE;
        while !up.said().contains("gained a partition") {
            assert!(up.ended_within(Duration::from_millis(5)).is_none(), "it ended: {}", up.said());
            assert!(Instant::now() < deadline, "it did not begin: {}", up.said());
        }
        scene._up = Some(up);
        scene
    }

    fn file(&self, lines: &[String]) -> PathBuf {
        let file = self.rig.dir.path().join("lines");
        fs::write(&file, lines.join("\n")).unwrap();
        file
    }

    fn publish(&self, lines: &[String], more: &[&str]) -> Output {
        let (data, file) = (self.rig.data("up").root().display().to_string(), self.file(lines));
        let args = ["--log", &self.log, "--data", &data, "publish", file.to_str().unwrap()];
        run(&[&args, more].concat(), &[])
    }

    /// The receipt of a line, as the log has it: the only record of that value.
    fn receipt(&self, line: u64, command: &Value) -> Value {
        let log = self.rig.read(&self.rig.log.topics().commands);
        let at: Vec<_> = log.iter().filter(|record| record.value == encode(command)).map(|record| record.at).collect();
        let [(partition, offset)] = at[..] else { panic!("{command} lies at {at:?}") };
        json!({"line": line, "command_id": command["command_id"], "partition": partition, "offset": offset})
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What was printed, in the order of the lines: partitions are answered each in its own time.
fn printed(output: &Output) -> Vec<String> {
    let mut printed: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    let number = |line: &String| -> u64 { line["line ".len()..line.find(':').unwrap()].parse().unwrap() };
    printed.sort_by_key(number);
    printed
}

/// The same, of `--json`.
fn objects(output: &Output) -> Vec<Value> {
    let mut objects: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    objects.sort_by_key(|object| object["line"].as_u64());
    objects
}

/// The exit code, and that the last line of stderr begins so.
fn ended(output: &Output, code: i32, summary: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.lines().last().unwrap().starts_with(summary), "{said}");
}

fn lines(commands: &[Value]) -> Vec<String> {
    commands.iter().map(Value::to_string).collect()
}

#[test]
fn each_line_is_told_what_became_of_it() {
    let scene = Scene::up();
    let [one, other] = NUMBERS;
    let mut input = lines(&[
        subscribe("c1", one),
        message("c2", one, "w1"),
        message("c3", one, "w1"),
        reply("c4", one, "AGENT"),
        reply("c5", one, "BOT"),
        message("c6", other, "w1"),
        unsubscribe("c7", one, "crm"),
    ]);
    input.insert(4, String::new());
    input.push("{\"command_id\":\"c8\"".to_owned());
    let output = scene.publish(&input, &["--wait"]);
    ended(&output, 1, "7 published, 1 bad lines; 3 accepted, 3 rejected, 1 duplicates, 0 invalid; ");
    assert!(text(&output.stderr).starts_with("line 9: line is not JSON"), "{}", text(&output.stderr));
    let expected = [
        "line 1: c1 ACCEPTED",
        "line 2: c2 ACCEPTED",
        "line 3: c3 DUPLICATE",
        "line 4: c4 ACCEPTED",
        "line 6: c5 REJECTED PICKED_UP",
        "line 7: c6 REJECTED DISCONNECTED",
        "line 8: c7 REJECTED NOT_SUBSCRIBED",
    ];
    assert_eq!(printed(&output), expected);
}

#[test]
fn a_rejection_is_exit_code_1_and_a_duplicate_is_not() {
    let scene = Scene::up();
    let one = NUMBERS[0];
    let output = scene.publish(&lines(&[subscribe("c1", one), subscribe("c1", one)]), &["--wait"]);
    ended(&output, 0, "2 published, 0 bad lines; 1 accepted, 0 rejected, 1 duplicates, 0 invalid; ");
    assert_eq!(printed(&output), ["line 1: c1 ACCEPTED", "line 2: c1 DUPLICATE"]);
    let rejected = lines(&[unsubscribe("c2", one, "crm")]);
    let output = scene.publish(&rejected, &["--wait"]);
    ended(&output, 1, "1 published, 0 bad lines; 0 accepted, 1 rejected, 0 duplicates, 0 invalid; ");
    assert_eq!(printed(&output), ["line 1: c2 REJECTED NOT_SUBSCRIBED"]);
    // Who does not wait is not told.
    let output = scene.publish(&rejected, &[]);
    ended(&output, 0, "1 published, 0 bad lines; ");
    assert_eq!(printed(&output), [""; 0]);
}

#[test]
fn receipts_say_where_each_command_lies() {
    let scene = Scene::up();
    let [one, other] = NUMBERS;
    let commands = [
        subscribe("c1", one),
        subscribe("c2", other),
        message("c3", other, "w1"),
        message("c4", other, "w1"),
        unsubscribe("c5", one, "crm"),
        message("c6", one, "w1"),
    ];
    let output = scene.publish(&lines(&commands), &["--wait", "--json"]);
    ended(&output, 1, "6 published, 0 bad lines; 4 accepted, 1 rejected, 1 duplicates, 0 invalid; ");
    let mut expected: Vec<Value> = (1..).zip(&commands).map(|(line, command)| scene.receipt(line, command)).collect();
    for (n, outcome) in ["ACCEPTED", "ACCEPTED", "ACCEPTED", "DUPLICATE", "REJECTED", "ACCEPTED"].iter().enumerate() {
        expected[n]["outcome"] = json!(outcome);
    }
    expected[4]["reason"] = json!("NOT_SUBSCRIBED");
    assert_eq!(objects(&output), expected);
    assert_ne!(expected[0]["partition"], expected[1]["partition"]);
    // Without waiting: where it lies, and nothing else.
    let command = message("c7", one, "w2");
    let output = scene.publish(&lines(std::slice::from_ref(&command)), &["--json"]);
    ended(&output, 0, "1 published, 0 bad lines; ");
    assert_eq!(objects(&output), [scene.receipt(1, &command)]);
}

#[test]
fn without_a_projector_it_gives_up() {
    let scene = Scene::asleep();
    let commands = [subscribe("c1", NUMBERS[0]), subscribe("c2", NUMBERS[1])];
    let output = scene.publish(&lines(&commands), &["--wait", "--timeout", "1", "--json"]);
    ended(&output, 3, "partyline: NOT_ANSWERED: 2 commands are in the log");
    let receipts: Vec<_> = (1..).zip(&commands).map(|(line, command)| scene.receipt(line, command)).collect();
    assert_eq!(objects(&output), receipts, "they are in the log all the same");
}

/// The first rows of a service make its topic, and then `up` a view: it is waited for, and answers once it has read them.
#[test]
fn who_asks_right_after_waiting_sees_what_was_published() {
    let scene = Scene::up();
    let [number, _] = NUMBERS;
    let lines = [subscribe("s1", number), message("m1", number, "w1")].map(|command| command.to_string());
    assert!(scene.publish(&lines, &["--wait"]).status.success());
    let data = scene.rig.data("up").root().display().to_string();
    let ask = |what: &[&str]| run(&[&["--log", &scene.log, "--data", &data, "view"], what].concat(), &[]);
    let seen = ask(&["timeline", "desk", number, "7"]);
    assert!(seen.status.success() && text(&seen.stdout).contains("Where is my parcel?"), "{}", text(&seen.stderr));
    for n in 2..20 {
        let line = message(&format!("m{n}"), number, &format!("w{n}")).to_string();
        assert!(scene.publish(&[line], &["--wait"]).status.success());
        assert!(text(&ask(&["rows", "desk"]).stdout).contains(&format!("\"w{n}\"")), "message {n}");
    }
    let missing = ask(&["rows", "crm"]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(text(&missing.stderr).starts_with("partyline: NO_VIEW: "), "{}", text(&missing.stderr));
}
