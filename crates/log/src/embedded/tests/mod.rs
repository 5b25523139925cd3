//! Tests of the embedded log, through the traits that everyone uses. A second [`Embedded`] on the same directory
//! stands for another process: it shares nothing with the first but the files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clean;
mod files;
mod intake;
mod publish;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::Embedded;
use crate::{Backend, Batch, Event, Gained, Intake, Offset, Partition, Reader, Records, TopicKind, Topics};

const PARTITIONS: u32 = 2;
/// No test waits longer than this for anything.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a record was: partition, offset, key, value.
type Row = (Partition, Offset, String, String);

fn topics() -> Topics {
    Topics::new("partyline")
}

fn open(dir: &Path) -> Embedded {
    Embedded::open(dir, topics(), PARTITIONS).unwrap()
}

/// A log with one view topic.
fn with_view(dir: &Path) -> (Embedded, Arc<str>) {
    let log = open(dir);
    let view = topics().view("desk");
    log.create(&view, TopicKind::View, PARTITIONS).unwrap();
    (log, view)
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap()
}

fn rows_of(records: &Records) -> Vec<Row> {
    records.iter().map(|r| (r.partition, r.offset, text(r.key), text(r.value))).collect()
}

/// Adds a record to a batch.
fn add(batch: &mut Batch, topic: &Arc<str>, partition: Partition, key: &str, value: &str) {
    let key = batch.write(|bytes| bytes.extend_from_slice(key.as_bytes()));
    let value = batch.write(|bytes| bytes.extend_from_slice(value.as_bytes()));
    let target = batch.target(topic, partition);
    batch.push(target, key, value);
}

/// Publishes records and says where they are.
fn publish(log: &Embedded, topic: &Arc<str>, records: &[(Partition, &str, &str)]) -> Vec<(Partition, Offset)> {
    let mut publisher = log.publisher().unwrap();
    for (tag, (partition, key, value)) in (0..).zip(records) {
        publisher.send(tag, topic, *partition, key.as_bytes(), value.as_bytes()).unwrap();
    }
    let mut receipts = publisher.receipts(DEADLINE).unwrap();
    receipts.sort_by_key(|receipt| receipt.tag);
    receipts.into_iter().map(|receipt| receipt.result.unwrap()).collect()
}

/// Everything of a topic from the begin of each partition to its end now.
fn all(log: &Embedded, topic: &str) -> Vec<Row> {
    let bounds = log.bounds(topic).unwrap();
    let from: Vec<_> = bounds.iter().map(|b| (b.partition, b.begin)).collect();
    let mut reader = log.reader(topic, &from).unwrap();
    read_to(&mut *reader, &bounds.iter().map(|b| (b.partition, b.end)).collect::<Vec<_>>())
}

/// Reads until the positions are reached; sorted by partition and offset.
fn read_to(reader: &mut dyn Reader, ends: &[(Partition, Offset)]) -> Vec<Row> {
    let (mut rows, mut records) = (Vec::new(), Records::default());
    let deadline = Instant::now() + DEADLINE;
    while ends.iter().any(|(partition, end)| reader.position(*partition) < *end) {
        assert!(Instant::now() < deadline, "the end was not reached");
        reader.next(&mut records, Duration::from_millis(100)).unwrap();
        rows.extend(rows_of(&records));
    }
    rows.sort();
    rows
}

/// Joins and starts every partition where the group is, or at 0.
fn started(log: &Embedded) -> (Box<dyn Intake>, Vec<Gained>) {
    let mut intake = log.intake("test").unwrap();
    let Event::Gained(gained) = intake.next(&mut Records::default(), DEADLINE).unwrap() else {
        panic!("nothing gained")
    };
    for gained in &gained {
        let next_offset = gained.committed.clone().unwrap_or_default().next_offset;
        intake.start(gained.bounds.partition, next_offset).unwrap();
    }
    (intake, gained)
}
