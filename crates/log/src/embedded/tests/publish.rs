//! Producers and readers: offsets, receipts, headers, times, several writers at once.

use std::collections::BTreeSet;

use super::*;
use crate::{Bounds, LogError};

#[test]
fn two_handles_that_publish_at_once_share_the_offsets_without_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let each = 3_000;
    let handles = [open(dir.path()), open(dir.path())];
    let placed: Vec<BTreeSet<(Partition, Offset)>> = std::thread::scope(|scope| {
        let publishing = |log: &Embedded| {
            let mut publisher = log.publisher().unwrap();
            let mut placed = BTreeSet::new();
            for tag in 0..each {
                let partition = (tag % 2) as u32;
                publisher.send(tag, &log.topics().commands, partition, b"k", &tag.to_be_bytes()).unwrap();
                if tag % 50 == 49 {
                    assert_eq!(publisher.outstanding(), 50);
                    placed.extend(publisher.receipts(DEADLINE).unwrap().into_iter().map(|r| r.result.unwrap()));
                    assert_eq!(publisher.outstanding(), 0);
                }
            }
            placed
        };
        let threads: Vec<_> = handles.iter().map(|log| scope.spawn(move || publishing(log))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let both: BTreeSet<_> = placed.iter().flatten().copied().collect();
    let expected: BTreeSet<_> = (0..each).flat_map(|n| [(0, n), (1, n)]).collect();
    assert_eq!((both, placed[0].len(), placed[1].len()), (expected, 3_000, 3_000));
    let bounds = [0, 1].map(|partition| Bounds { partition, begin: 0, end: each });
    assert_eq!(handles[0].bounds(&handles[0].topics().commands).unwrap(), bounds);
}

#[test]
fn a_projector_gets_in_between_another_process_that_writes_all_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let (log, view) = with_view(dir.path());
    let other = open(dir.path());
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut publisher = other.publisher().unwrap();
            let value = [0; 240];
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for tag in 0..4_000 {
                    publisher.send(tag, &other.topics().commands, 0, b"k", &value).unwrap();
                }
                publisher.receipts(DEADLINE).unwrap();
            }
        });
        let (mut intake, _) = started(&log);
        let begun = Instant::now();
        for n in 0..20 {
            let mut batch = Batch::default();
            add(&mut batch, &view, 0, "k", "v");
            batch.commit(0, n, String::new());
            intake.submit(&mut batch).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    });
}

#[test]
fn a_refused_record_has_a_receipt_and_a_wrong_place_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let commands = &log.topics().commands;
    let mut publisher = log.publisher().unwrap();
    publisher.send(1, commands, 0, b"k", &vec![0; 1 << 20]).unwrap();
    publisher.send(2, commands, 0, b"k", b"v").unwrap();
    assert!(matches!(publisher.send(3, &topics().view("x"), 0, b"", b""), Err(LogError::NoTopic(_))));
    assert!(matches!(publisher.send(3, commands, PARTITIONS, b"", b""), Err(LogError::OutOfRange(_))));
    let receipts = publisher.receipts(DEADLINE).unwrap();
    let kept: Vec<_> = receipts.iter().map(|r| (r.tag, r.result.clone().ok())).collect();
    assert_eq!(kept, [(1, None), (2, Some((0, 0)))]);
    assert!(publisher.receipts(Duration::ZERO).unwrap().is_empty());
}

#[test]
fn headers_keys_and_times_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let dead = &log.topics().dead_letters;
    let clock = || std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let before = clock();
    let mut batch = Batch::default();
    let (key, value) = (batch.write(|_| ()), batch.write(|bytes| bytes.extend_from_slice(b"\xff\x00")));
    let headers = vec![("reason", "INVALID".to_owned()), ("detail", String::new())];
    let target = batch.target(dead, 1);
    batch.push_with_headers(target, key, value, headers);
    let (mut intake, _) = started(&log);
    intake.submit(&mut batch).unwrap();
    intake.settle().unwrap();

    let mut records = Records::default();
    log.reader(dead, &[(1, 0)]).unwrap().next(&mut records, DEADLINE).unwrap();
    let record = records.iter().next().unwrap();
    assert_eq!((record.key, record.value), (None, Some(&b"\xff\x00"[..])));
    assert!(record.at_ms >= before && record.at_ms <= clock());
    let headers: Vec<_> = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("reason", "INVALID"), ("detail", "")]);
}

#[test]
fn a_reader_reads_what_it_was_given_and_waits_for_more() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let commands = &log.topics().commands;
    publish(&log, commands, &[(0, "k", "a"), (0, "k", "b"), (1, "k", "c")]);
    assert!(matches!(log.reader(commands, &[(0, 3)]), Err(LogError::OutOfRange(_))));
    assert!(matches!(log.reader(commands, &[(9, 0)]), Err(LogError::OutOfRange(_))));
    assert!(matches!(log.reader("partyline.view.x.v1", &[]), Err(LogError::NoTopic(_))));

    let mut reader = log.reader(commands, &[(0, 1)]).unwrap();
    assert_eq!(read_to(&mut *reader, &[(0, 2)]), [(0, 1, "k".to_owned(), "b".to_owned())]);
    let mut records = Records::default();
    reader.next(&mut records, Duration::from_millis(5)).unwrap();
    assert!(records.is_empty() && reader.position(0) == 2);
    std::thread::scope(|scope| {
        scope.spawn(|| publish(&log, commands, &[(1, "k", "not asked for"), (0, "k", "d")]));
        assert_eq!(read_to(&mut *reader, &[(0, 3)]), [(0, 2, "k".to_owned(), "d".to_owned())]);
    });
}
