//! The real parts put together: a log, publishing, workers run to the end, and what they made.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use partyline_ledger::Service;
use partyline_log::{
    Backend, Offset, Partition, Receipt, TopicKind, Topics,
    embedded::Embedded,
    kafka::{self, Kafka},
};
use partyline_projector::{
    Answer, Counts, Layout, Project, Query, Replay, ReplaySpan, ReplayedView, Settings, View, ViewSummary, WorkError,
    replay_spans,
};
use partyline_wire::{partition_of, row_to_json};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    encode::{encode, key},
    naive::{Fed, Naive},
};

/// Nothing in a test waits longer.
pub const PATIENCE: Duration = Duration::from_secs(120);

const WAIT: Duration = Duration::from_millis(20);

/// A log of its own, and a place for stores.
pub struct Rig {
    /// The log.
    pub log: Arc<dyn Backend>,
    /// Where stores and files go; removed at the end.
    pub dir: TempDir,
    partitions: u32,
}

/// A record that was read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Where it is.
    pub at: (Partition, Offset),
    /// Its timestamp.
    pub at_ms: i64,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// Its headers.
    pub headers: Vec<(String, String)>,
}

/// A Kafka, as one process sees it; with properties of librdkafka.
pub fn connect(bootstrap: &str, topics: Topics, properties: &[(&str, &str)]) -> Kafka {
    Kafka::connect(kafka::Options {
        bootstrap: bootstrap.to_owned(),
        topics,
        properties: properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        replication_factor: 1,
    })
    .unwrap()
}

impl Rig {
    /// On an embedded log.
    pub fn embedded(partitions: u32) -> Self {
        let dir = TempDir::new().unwrap();
        let log = Embedded::open(&dir.path().join("log"), Topics::new("partyline"), partitions).unwrap();
        Self { log: Arc::new(log), dir, partitions }
    }

    /// On the real Kafka of the tests, under a prefix of its own.
    pub fn kafka(partitions: u32) -> Self {
        Self::kafka_at(&bootstrap(), partitions)
    }

    /// On a Kafka of the test's own.
    pub fn kafka_at(bootstrap: &str, partitions: u32) -> Self {
        Self::kafka_with(bootstrap, partitions, &[])
    }

    /// On a Kafka, with properties of librdkafka.
    pub fn kafka_with(bootstrap: &str, partitions: u32, properties: &[(&str, &str)]) -> Self {
        Self::kafka_of("test", bootstrap, partitions, properties)
    }

    /// On the real Kafka of the tests, with topics whose names begin so.
    pub fn kafka_named(name: &str, partitions: u32) -> Self {
        Self::kafka_of(name, &bootstrap(), partitions, &[])
    }

    fn kafka_of(name: &str, bootstrap: &str, partitions: u32, properties: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().unwrap();
        let unique = dir.path().file_name().unwrap().to_string_lossy().replace(['.', '_'], "");
        let topics = Topics::new(&format!("{name}{unique}"));
        let log = connect(bootstrap, topics.clone(), properties);
        for (topic, kind) in [
            (&topics.commands, TopicKind::Commands),
            (&topics.outcomes, TopicKind::Outcomes),
            (&topics.dead_letters, TopicKind::DeadLetters),
        ] {
            log.create(topic, kind, partitions).unwrap();
        }
        Self { log: Arc::new(log), dir, partitions }
    }

    /// Goes on with the embedded log in another folder.
    pub fn use_log(&mut self, folder: &str) {
        let log = Embedded::open(&self.dir.path().join(folder), self.log.topics().clone(), self.partitions).unwrap();
        self.log = Arc::new(log);
    }

    /// How the topics' names begin.
    pub fn prefix(&self) -> String {
        self.log.topics().commands.trim_end_matches(".commands.v1").to_owned()
    }

    /// The data directory of a projector.
    pub fn data(&self, name: &str) -> Layout {
        Layout::new(self.dir.path().join(name))
    }

    /// Publishes commands as they are, valid or not, in the partition of their number.
    pub fn publish(&self, commands: &[Value]) {
        let records: Vec<_> = commands
            .iter()
            .map(|command| {
                let key = key(command).as_bytes().to_vec();
                (partition_of(&key, self.partitions), key, encode(command))
            })
            .collect();
        self.publish_raw(&records);
    }

    /// Publishes records as they are.
    pub fn publish_raw(&self, records: &[(Partition, Vec<u8>, Vec<u8>)]) {
        self.append(&Arc::clone(&self.log.topics().commands), records);
    }

    /// Appends records to any topic.
    pub fn append(&self, topic: &Arc<str>, records: &[(Partition, Vec<u8>, Vec<u8>)]) {
        let mut publisher = self.log.publisher().unwrap();
        for (tag, (partition, key, value)) in records.iter().enumerate() {
            publisher.send(tag as u64, topic, *partition, key, value).unwrap();
            if tag % 1_000 == 0 {
                acknowledged(publisher.receipts(Duration::ZERO).unwrap());
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while publisher.outstanding() > 0 {
            assert!(Instant::now() < deadline, "not acknowledged: {}", publisher.outstanding());
            acknowledged(publisher.receipts(WAIT).unwrap());
        }
    }

    /// A projector.
    pub fn project(&self, member: &str, settings: Settings) -> Result<Project, WorkError> {
        Project::open(Arc::clone(&self.log), member, &self.data(member), settings)
    }

    /// Runs one projector until everything published is done, and closes it.
    pub fn project_to_end(&self, member: &str, settings: Settings) -> Counts {
        let mut project = self.project(member, settings).unwrap();
        self.step_to_end(&mut [&mut project]);
        project.close(Instant::now()).unwrap()
    }

    /// Steps projectors in turn until everything published so far is committed.
    pub fn step_to_end(&self, projects: &mut [&mut Project]) {
        let ends = self.log.bounds(&self.log.topics().commands).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            for project in projects.iter_mut() {
                project.step(Instant::now(), WAIT).unwrap();
            }
            let held: BTreeMap<_, _> = projects.iter().flat_map(|project| project.positions()).collect();
            if ends.iter().all(|end| held.get(&end.partition).is_some_and(|at| *at >= end.end)) {
                return;
            }
            assert!(Instant::now() < deadline, "at {held:?} of {ends:?}");
        }
    }

    /// Steps a projector, by a clock of the test's, until something holds of it.
    ///
    /// # Errors
    /// Those of the projector.
    pub fn step_until(
        &self,
        project: &mut Project,
        now: impl Fn() -> Instant,
        mut holds: impl FnMut(&Project) -> bool,
    ) -> Result<(), WorkError> {
        let deadline = Instant::now() + PATIENCE;
        while !holds(project) {
            assert!(Instant::now() < deadline, "it has stopped at {:?}", self.log.committed());
            project.step(now(), WAIT / 4)?;
        }
        Ok(())
    }

    /// The services that have a view topic.
    pub fn services(&self) -> Vec<String> {
        let topics = self.log.topics();
        let list = self.log.list().unwrap();
        let services: BTreeSet<_> = list.iter().filter_map(|topic| topics.service(topic)).map(str::to_owned).collect();
        services.into_iter().collect()
    }

    /// Everything in a topic, by partition and offset.
    pub fn read(&self, topic: &str) -> Vec<Read> {
        let bounds = self.log.bounds(topic).unwrap();
        let from: Vec<_> = bounds.iter().map(|b| (b.partition, b.begin)).collect();
        let mut reader = self.log.reader(topic, &from).unwrap();
        let mut records = partyline_log::Records::default();
        let mut read = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while bounds.iter().any(|b| reader.position(b.partition) < b.end) {
            assert!(Instant::now() < deadline, "the end of {topic} was not reached");
            reader.next(&mut records, WAIT).unwrap();
            read.extend(records.iter().map(|record| Read {
                at: (record.partition, record.offset),
                at_ms: record.at_ms,
                key: String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned(),
                value: record.value.unwrap_or_default().to_vec(),
                headers: record.headers.to_vec(),
            }));
        }
        read.sort_by_key(|read| read.at);
        read
    }

    /// A service's rows as they were published, without position rows.
    pub fn rows(&self, service: &str) -> Vec<Read> {
        let mut rows = self.read(&self.log.topics().view(service));
        rows.retain(|row| !row.key.starts_with("position/"));
        rows
    }

    /// What the view amounts to that is fed from the service's topic, in a store of that name.
    pub fn follow(&self, service: &str, store: &str) -> ViewSummary {
        let dir = self.data(store).view_store(service);
        let bounds = self.log.bounds(&self.log.topics().view(service)).unwrap();
        let mut view = View::open(&self.log, service, &dir, Settings::default(), Instant::now()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while bounds.iter().any(|b| view.position(b.partition) < b.end) {
            assert!(Instant::now() < deadline, "the end of the view of {service} was not reached");
            view.step(Instant::now(), WAIT).unwrap();
        }
        let summary = summary(view.answer(&Query::Summary, Instant::now()).unwrap());
        view.close().unwrap();
        summary
    }

    /// What the view amounts to that is built from the log.
    pub fn replay(&self, service: &str, until: &[ReplaySpan]) -> ViewSummary {
        let dir = TempDir::new_in(self.dir.path()).unwrap();
        let (scratch, kept) = (dir.path().join("scratch"), dir.path().join("view"));
        let service = Service::new(service).unwrap();
        let spans = replay_spans(&self.log, until).unwrap();
        let mut view = ReplayedView::open(&self.log, &service, &kept, true, Settings::default()).unwrap();
        let mut replay = Replay::open(&self.log, service, &spans, &scratch, Settings::default()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !replay.is_done() {
            assert!(Instant::now() < deadline, "the replay did not end");
            replay.step(WAIT, &mut |rows| view.take(rows)).unwrap();
        }
        view.finish().unwrap()
    }

    /// For every service: the view fed from its topic equals the one built by replay. Returns the digests.
    pub fn views_equal_replays(&self) -> BTreeMap<String, String> {
        let mut digests = BTreeMap::new();
        for service in self.services() {
            let (followed, replayed) = (self.follow(&service, "views"), self.replay(&service, &[]));
            assert_eq!((&followed.digest, followed.rows), (&replayed.digest, replayed.rows), "view of {service}");
            digests.insert(service, followed.digest);
        }
        digests
    }

    /// Every service's rows equal those of the naive implementation, fed with the log as it is.
    pub fn rows_equal_naive(&self, commands: &[Value]) {
        self.rows_read_equal_naive(commands, |service| {
            let rows = self.rows(service).into_iter();
            rows.map(|row| (row.at.0, row.key, row_to_json(&row.value).unwrap())).collect()
        });
    }

    /// The same, for rows as somebody else reads them.
    pub fn rows_read_equal_naive(&self, commands: &[Value], read: impl Fn(&str) -> Vec<(Partition, String, Value)>) {
        let mut naive = Naive::new();
        let by_bytes: BTreeMap<Vec<u8>, &Value> = commands.iter().map(|command| (encode(command), command)).collect();
        for record in self.read(&self.log.topics().commands) {
            let (partition, offset) = record.at;
            naive.apply(Fed { partition, offset, at_ms: record.at_ms, command: by_bytes[&record.value] });
        }
        let mut expected = naive.take_topics();
        expected.retain(|_, rows| !rows.is_empty());
        let mut found: BTreeMap<_, _> = self.services().into_iter().map(|name| (name.clone(), read(&name))).collect();
        found.retain(|_, rows| !rows.is_empty());
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "services");
        for (service, expected) in expected {
            let rows = found.remove(&service).unwrap_or_default();
            let expected = expected.into_iter().map(|(key, json)| (self.partition_of_row(&key), key, json));
            assert_same(&service, by_cause(rows.into_iter()), by_cause(expected));
        }
    }

    fn partition_of_row(&self, key: &str) -> Partition {
        let number = key.split('/').nth(1).unwrap().split('~').next().unwrap();
        partition_of(number.as_bytes(), self.partitions)
    }
}

fn acknowledged(receipts: Vec<Receipt>) {
    for receipt in receipts {
        receipt.result.unwrap();
    }
}

/// Rows by the partition and offset of what caused them. Within a history the contract fixes no order, so they are
/// sorted by key and compared without their index; that the indexes are 0, 1, 2 ... is checked by [`exactly_once`].
type ByCause = BTreeMap<(Partition, u64), Vec<(String, Value)>>;

fn by_cause(rows: impl Iterator<Item = (Partition, String, Value)>) -> ByCause {
    let mut causes = ByCause::new();
    for (partition, key, mut json) in rows {
        let cause = json["cause"].as_object_mut().unwrap();
        let offset = cause.get("offset").map_or(0, |offset| offset.as_u64().unwrap());
        cause.remove("index");
        causes.entry((partition, offset)).or_default().push((key, json));
    }
    causes.values_mut().for_each(|rows| rows.sort_by(|a, b| (&a.0, a.1.to_string()).cmp(&(&b.0, b.1.to_string()))));
    causes
}

fn assert_same(service: &str, rows: ByCause, expected: ByCause) {
    for (cause, expected) in &expected {
        assert_eq!(rows.get(cause), Some(expected), "rows of {service} caused by {cause:?}");
    }
    assert_eq!(rows.len(), expected.len(), "commands that brought {service} rows");
}

/// Each row is there once, in order, none missing: by the rows' cause, in every partition.
pub fn exactly_once(rows: &[Read]) {
    let mut last: BTreeMap<Partition, (u64, u64)> = BTreeMap::new();
    for row in rows {
        let json = row_to_json(&row.value).unwrap();
        let number = |name: &str| json["cause"].get(name).map_or(0, |value| value.as_u64().unwrap());
        let (offset, index) = (number("offset"), number("index"));
        let expected = match last.get(&row.at.0) {
            Some((before, next)) if *before == offset => *next,
            Some((before, _)) => {
                assert!(*before < offset, "{} at {:?}: cause {offset} after {before}", row.key, row.at);
                0
            }
            None => 0,
        };
        assert_eq!(index, expected, "{} at {:?}, cause {offset}", row.key, row.at);
        last.insert(row.at.0, (offset, index + 1));
    }
}

/// The digest and the rest, out of an answer.
pub fn summary(answer: Answer) -> ViewSummary {
    match answer {
        Answer::Summary(summary) => summary,
        Answer::Rows(_) => panic!("rows"),
    }
}

/// The tests' broker.
pub fn bootstrap() -> String {
    std::env::var("PARTYLINE_TEST_BOOTSTRAP")
        .expect("no Kafka for the tests: run them with scripts/test, or set PARTYLINE_TEST_BOOTSTRAP=HOST:PORT")
}
