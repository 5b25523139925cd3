//! Nothing leaks: what a service must not read is in no file, topic, log line or error that it could see. Every reply is
//! made of a unique marker (its text, its id, what it answers), and so is bad input; then all of it is looked for.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::Path,
    time::{Duration, Instant},
};

use partyline_log::Partition;
use partyline_projector::Settings;
use partyline_tests::{
    encode::encode,
    process::{Running, run},
    python::Admin,
    rig::{PATIENCE, Rig, bootstrap},
    workload,
};
use partyline_wire::partition_of;
use serde_json::{Value, json};

const PARTITIONS: u32 = 2;

/// The author of what is not even a command.
const NOBODY: &str = "nobody";

/// How a marker ends: sixteen random digits, which are told even where a store compresses what is around them.
const DIGITS: usize = 16;

/// The ends of all markers, and whose they are.
struct Markers(HashMap<Vec<u8>, String>);

impl Markers {
    fn add(&mut self, author: &str, marker: &str) {
        self.0.insert(marker.as_bytes()[marker.len() - DIGITS..].to_vec(), author.to_owned());
    }

    /// Whose markers are in there.
    fn authors(&self, bytes: &[u8]) -> BTreeSet<String> {
        let digits = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        let runs = bytes.split(|byte| !digits(byte)).filter(|run| run.len() >= DIGITS);
        runs.flat_map(|run| run.windows(DIGITS)).filter_map(|end| self.0.get(end).cloned()).collect()
    }

    /// In what a service could see there is nobody's but its own; whether there are those.
    fn only_own(&self, reader: &str, what: &str, bytes: &[u8]) -> bool {
        let mut authors = self.authors(bytes);
        let own = authors.remove(reader);
        assert!(authors.is_empty(), "{what} of {reader} has markers of {authors:?}");
        own
    }

    /// In what everybody could see there is nobody's.
    fn none(&self, what: &str, bytes: &[u8]) {
        assert!(!self.only_own("", what, bytes));
    }
}

/// Real dialogues in which no service shows its replies to others.
fn marked(dialogues: usize, seed: u64) -> (Vec<Value>, Markers) {
    let base = workload::from_dialogues(&workload::dialogues(dialogues).unwrap(), seed, 3);
    let (mut commands, markers) = workload::with_markers(&workload::all_masked(&base), seed);
    for command in commands.iter_mut().filter(|command| command["reply"].is_object()) {
        let marker = command["reply"]["content"]["text"].clone();
        command["command_id"] = marker.clone();
        command["reply"]["in_reply_to"] = marker;
    }
    assert!(markers.len() > 100);
    let mut all = Markers(HashMap::new());
    markers.iter().for_each(|(author, marker)| all.add(author, marker));
    (commands, all)
}

/// Everything in the files of a folder.
fn files(dir: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            bytes.extend(files(&entry.path()));
        } else if kind.is_file() {
            bytes.extend(fs::read(entry.path()).unwrap());
        }
    }
    bytes
}

/// Spoils every database in a folder.
fn damage(dir: &Path) {
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            damage(&path);
        } else if path.ends_with("db") {
            fs::write(&path, b"damaged").unwrap();
        }
    }
}

#[test]
fn embedded_nothing_leaks() {
    let rig = Rig::embedded(PARTITIONS);
    let (commands, markers) = marked(60, 5);
    rig.publish(&commands);
    rig.project_to_end("projector", Settings::default());
    rig.views_equal_replays();
    for service in rig.services() {
        let view = format!("only-{service}");
        rig.follow(&service, &view);
        let dir = rig.data(&view);
        assert!(markers.only_own(&service, "the view's folder", &files(dir.root())), "{service}'s own is not told");
        let rows = run(&["view", "rows", &service, "--data", &dir.root().display().to_string()], &[]);
        assert!(rows.status.success(), "{}", String::from_utf8_lossy(&rows.stderr));
        assert!(markers.only_own(&service, "the view", &rows.stdout), "{service} does not even have its own");
        for row in rig.read(&rig.log.topics().view(&service)) {
            markers.only_own(&service, "a row", &[row.key.as_bytes(), &row.value].concat());
        }
    }
}

/// Records that are no commands, each with a marker in a place where it should not be.
fn bad_records(markers: &mut Markers) -> Vec<(Partition, Vec<u8>, Vec<u8>)> {
    let mut n = 0;
    let mut marker = || {
        n += 1;
        let marker = format!("MARK-{NOBODY}-{n}-{:016x}", 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n));
        markers.add(NOBODY, &marker);
        marker
    };
    let number = "+4930000555";
    let reply = |id: &str, path: &str, value: Value| {
        let body = json!({"service": "desk", "agent": "mia", "customer": "7", "content": {"text": "x"}});
        let mut command = workload::command(id, number, "reply", body);
        *command.pointer_mut(path).unwrap() = value;
        command
    };
    let home = partition_of(number.as_bytes(), PARTITIONS);
    let placed = |command: &Value| (home, number.as_bytes().to_vec(), encode(command));
    let mut records = Vec::new();
    // A bound is broken.
    for (path, after) in [
        ("/command_id", " "),
        ("/reply/service", " "),
        ("/reply/agent", "/"),
        ("/reply/customer", "/"),
        ("/reply/content/text", &"x".repeat(4_096)),
        ("/reply/content/text", &"x".repeat(70_000)),
    ] {
        records.push(placed(&reply("c1", path, json!(format!("{}{after}", marker())))));
    }
    let long = json!({"interactive": {"text": marker(), "options": vec![json!({"id": "a", "title": marker()}); 11]}});
    records.push(placed(&reply("c1", "/reply/content", long)));
    let parameters = json!({"template": {"name": marker(), "parameters": vec![marker(); 101]}});
    records.push(placed(&reply("c1", "/reply/content", parameters)));
    // It is nobody's reply, so nobody can be told.
    let body = json!({"service": NOBODY, "agent": "mia", "customer": "7", "content": {"text": marker()}});
    records.push(placed(&workload::command(&marker(), number, "reply", body)));
    // It is no protobuf, the wrong key, the wrong partition.
    let good = reply("c1", "/reply/content/text", json!(marker()));
    let value = encode(&good);
    let key = number.as_bytes().to_vec();
    let other = marker().into_bytes();
    records.push((home, key.clone(), value[..value.len() - 1].to_vec()));
    records.push((home, key.clone(), [&value[..], b"\xff"].concat()));
    records.push((home, key.clone(), good.to_string().into_bytes()));
    records.push((home, key.clone(), marker().into_bytes()));
    records.push((1 - home, key, value.clone()));
    records.push((partition_of(&other, PARTITIONS), other, value));
    records
}

/// The real processes on a Kafka, and all that they say.
struct Scene {
    rig: Rig,
    log: String,
    prefix: String,
}

impl Scene {
    fn start(&self, data: &str, verbs: &[&str], format: &str) -> Running {
        let dir = self.rig.data(data).root().display().to_string();
        let args = [&["--log", &self.log, "--data", &dir, "-vvv"], verbs].concat();
        let env = [("PARTYLINE_PREFIX", self.prefix.as_str()), ("PARTYLINE_LOG_FORMAT", format)];
        Running::start(&args, &env, &self.rig.dir.path().join(format!("said-{data}")))
    }

    fn said(&self, data: &str) -> Vec<u8> {
        fs::read(self.rig.dir.path().join(format!("said-{data}"))).unwrap()
    }

    /// Everything that a verb prints.
    fn ask(&self, data: &str, verbs: &[&str]) -> Vec<u8> {
        let dir = self.rig.data(data).root().display().to_string();
        let args = [&["--log", &self.log, "--data", &dir, "-vvv"], verbs].concat();
        let output = run(&args, &[("PARTYLINE_PREFIX", &self.prefix)]);
        assert!(output.status.success(), "{verbs:?}: {}", String::from_utf8_lossy(&output.stderr));
        [output.stdout, output.stderr].concat()
    }

    /// Three lives of the projector: killed; its store damaged and moved aside; to the end, with librdkafka's own words.
    fn project(&self, commands: &[Value], bad: &[(Partition, Vec<u8>, Vec<u8>)]) {
        let (first, second) = commands.split_at(commands.len() / 2);
        let running = self.start("projector", &["project"], "text");
        self.rig.publish(first);
        self.rig.publish_raw(bad);
        let deadline = Instant::now() + PATIENCE;
        while self.rig.log.committed().unwrap_or_default().is_empty() {
            assert!(Instant::now() < deadline, "nothing was committed");
        }
        running.kill_after(Duration::from_millis(1));
        damage(&self.rig.data("projector").root().join("project"));
        self.rig.publish(second);
        self.rig.publish_raw(bad);
        self.start("projector", &["project", "--until-end"], "text").succeeds();
        self.rig.publish_raw(bad);
        self.start("projector", &["project", "--until-end", "-X", "debug=all"], "json").succeeds();
    }

    /// What its owner has of a view, and what it is told.
    fn view(&self, service: &str, format: &str) -> Vec<u8> {
        let data = format!("only-{service}");
        self.start(&data, &["view", "follow", service, "--until-end", "-X", "debug=all"], format).succeeds();
        let mut seen = [self.said(&data), files(self.rig.data(&data).root())].concat();
        for verb in ["rows", "inbox", "warnings", "rejections", "channels", "digest"] {
            seen.extend(self.ask(&data, &["view", verb, service]));
            seen.extend(self.ask(&data, &["view", verb, service, "--json"]));
        }
        let kept = self.rig.data(&format!("kept-{service}")).root().display().to_string();
        seen.extend(self.ask(&data, &["replay", service, "--keep", &kept]));
        seen.extend(files(Path::new(&kept)));
        seen
    }
}

#[test]
fn kafka_nothing_leaks() {
    let rig = Rig::kafka(PARTITIONS);
    let scene = Scene { log: format!("kafka:{}", bootstrap()), prefix: rig.prefix(), rig };
    let (commands, mut markers) = marked(60, 6);
    let bad = bad_records(&mut markers);
    scene.project(&commands, &bad);
    let said = scene.said("projector");
    markers.none("what the projector says", &said);
    let said = String::from_utf8_lossy(&said);
    for part in ["DEBUG", "\"level\":\"DEBUG\"", "moved aside", "librdkafka"] {
        assert!(said.contains(part), "the projector did not say {part}: {} bytes", said.len());
    }
    let services = scene.rig.services();
    assert!(services.len() >= 3, "{services:?}");
    let admin = Admin { bootstrap: bootstrap() };
    for (n, service) in services.iter().enumerate() {
        let seen = scene.view(service, if n % 2 == 0 { "text" } else { "json" });
        assert!(markers.only_own(service, "what is seen", &seen), "{service} does not even have its own");
        // Every record of its topic, those that were aborted too.
        let records = admin.dump(&scene.rig.log.topics().view(service));
        assert!(markers.only_own(service, "the topic", &records.concat().concat()));
    }
    markers.none("outcomes", &admin.dump(&scene.rig.log.topics().outcomes).concat().concat());
    let positions = scene.rig.log.committed().unwrap();
    markers.none("the group's positions", format!("{positions:?}").as_bytes());
    // The records that are no commands are kept as they were, and what is said of them quotes nothing.
    let letters = admin.dump(&scene.rig.log.topics().dead_letters);
    for (_, key, value) in &bad {
        let told = letters.iter().filter(|letter| (&letter[0], &letter[1]) == (key, value)).count();
        assert!(told >= 3, "{told} dead letters of {}", String::from_utf8_lossy(value));
    }
    for letter in &letters {
        assert!(letter.len() > 2 && letter[2..].concat().len() > 20, "a dead letter has headers");
        markers.none("a dead letter's headers", &letter[2..].join(&b'\n'));
    }
}

/// Bad lines are reported by number and field; what somebody wrote is not repeated, whatever is printed.
#[test]
fn publish_quotes_nothing() {
    let dir = tempfile::TempDir::new().unwrap();
    let marker = "MARK-desk-1-secret";
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for bad in workload::invalid_commands() {
        // In place of the text, and of what is too long.
        let line = String::from_utf8_lossy(&bad.line).replace("\"hello\"", &format!("\"{marker}\""));
        lines.push(line.replace("xxxx", marker).replace("tttt", marker).replace("iiii", marker).into_bytes());
        if bad.line.ends_with(b"}") {
            lines.push(bad.line[..bad.line.len() - 1].to_vec());
        }
    }
    let count = lines.iter().filter(|line| !line.is_empty()).count();
    let marked = lines.iter().filter(|line| String::from_utf8_lossy(line).contains(marker)).count();
    assert!(count > 200 && marked > 60, "{marked} of {count} lines have a marker");
    let (data, file) = (dir.path().join("data").display().to_string(), dir.path().join("lines"));
    fs::write(&file, lines.join(&b'\n')).unwrap();
    for more in [&[][..], &["--json"], &["-vv", "--json"]] {
        let args = [&["--data", &data, "publish", file.to_str().unwrap()], more].concat();
        let output = run(&args, &[]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("{count} bad lines")), "{said}");
        assert!(!said.contains("MARK-"), "{said}");
    }
}
