//! The projector's end: gaining, starting, both or neither, one at a time, waking up.

use super::*;
use crate::{Committed, LogError};

#[test]
fn commands_come_in_and_rows_and_positions_go_out() {
    let dir = tempfile::tempdir().unwrap();
    let (log, view) = with_view(dir.path());
    publish(&log, &log.topics().commands, &[(0, "+49", "a"), (1, "+43", "b"), (0, "+49", "c")]);
    let (mut intake, gained) = started(&log);
    assert!(gained.iter().all(|g| g.committed.is_none() && g.views_empty && g.bounds.begin == 0));
    assert_eq!(gained.iter().map(|g| g.bounds.end).collect::<Vec<_>>(), [2, 1]);

    let mut records = Records::default();
    assert_eq!(intake.next(&mut records, DEADLINE).unwrap(), Event::Records);
    let read = rows_of(&records);
    let expected = [(0, 0, "+49", "a"), (0, 1, "+49", "c"), (1, 0, "+43", "b")];
    assert_eq!(read, expected.map(|(p, o, k, v)| (p, o, k.to_owned(), v.to_owned())));
    assert_eq!(intake.next(&mut records, Duration::ZERO).unwrap(), Event::Idle);

    let mut batch = Batch::default();
    add(&mut batch, &view, 0, "entry/1", "A");
    add(&mut batch, &view, 0, "entry/2", "C");
    batch.commit(0, 2, "rows=0".to_owned());
    assert!(intake.is_ready_within(Duration::ZERO).unwrap());
    intake.submit(&mut batch).unwrap();
    intake.settle().unwrap();
    assert_eq!(intake.committed().unwrap(), 1);
    intake.close().unwrap();

    assert_eq!(all(&log, &view).len(), 2);
    let committed = Committed { next_offset: 2, metadata: "rows=0".to_owned() };
    assert_eq!(log.committed().unwrap(), [(0, committed.clone())]);
    let (_, gained) = started(&log);
    assert_eq!(gained[0].committed, Some(committed));
    assert_eq!(gained[1].committed, None);
    assert_eq!(gained.iter().map(|g| g.views_empty).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn nothing_is_delivered_before_start_and_only_from_within_the_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    publish(&log, &log.topics().commands, &[(0, "k", "a"), (1, "k", "b"), (1, "k", "c")]);
    let mut intake = log.intake("test").unwrap();
    let mut records = Records::default();
    assert!(matches!(intake.next(&mut records, DEADLINE).unwrap(), Event::Gained(_)));
    assert_eq!(intake.next(&mut records, Duration::from_millis(20)).unwrap(), Event::Idle);
    assert!(matches!(intake.start(1, 3), Err(LogError::OutOfRange(_))));
    assert!(matches!(intake.start(PARTITIONS, 0), Err(LogError::OutOfRange(_))));
    intake.start(1, 1).unwrap();
    assert_eq!(intake.next(&mut records, DEADLINE).unwrap(), Event::Records);
    assert_eq!(rows_of(&records), [(1, 1, "k".to_owned(), "c".to_owned())]);
    assert_eq!(intake.position(1), 2);

    intake.pause(1).unwrap();
    publish(&log, &log.topics().commands, &[(1, "k", "d")]);
    assert_eq!(intake.next(&mut records, Duration::from_millis(20)).unwrap(), Event::Idle);
    intake.start(1, 2).unwrap();
    assert_eq!(intake.next(&mut records, DEADLINE).unwrap(), Event::Records);
    assert_eq!(rows_of(&records), [(1, 2, "k".to_owned(), "d".to_owned())]);
}

#[test]
fn a_batch_that_fails_leaves_nothing_and_is_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let (log, view) = with_view(dir.path());
    type Spoil = fn(&mut Batch, &Arc<str>);
    let bad: [(&str, Spoil); 3] = [
        ("no such topic", |batch, _| add(batch, &Arc::from("partyline.view.nobody.v1"), 0, "k", "v")),
        ("no such partition", |batch, view| add(batch, view, PARTITIONS, "k", "v")),
        ("metadata too long", |batch, _| batch.commit(1, 1, "x".repeat(4_097))),
    ];
    for (what, spoil) in bad {
        let (mut intake, _) = started(&log);
        let mut batch = Batch::default();
        add(&mut batch, &view, 0, "k", "v");
        batch.commit(0, 1, String::new());
        spoil(&mut batch, &view);
        intake.submit(&mut batch).unwrap();
        assert!(intake.settle().is_err(), "{what}");
        let mut good = Batch::default();
        add(&mut good, &view, 0, "k", "v");
        assert!(intake.submit(&mut good).is_err(), "{what}");
        assert!(intake.committed().is_err() && intake.is_ready_within(Duration::ZERO).is_err(), "{what}");
        assert!(intake.next(&mut Records::default(), Duration::ZERO).is_err(), "{what}");
        assert!(all(&log, &view).is_empty() && log.committed().unwrap().is_empty(), "{what}");
    }
}

#[test]
fn a_second_projector_is_refused_until_the_first_has_left() {
    let dir = tempfile::tempdir().unwrap();
    let (log, other) = (open(dir.path()), open(dir.path()));
    let first = log.intake("a").unwrap();
    for log in [&log, &other] {
        let Err(LogError::InUse(what)) = log.intake("b") else { panic!("two projectors") };
        assert!(what.contains("partyline.projector.v1.lock"), "{what}");
    }
    first.close().unwrap();
    other.intake("b").unwrap();
}

#[test]
fn what_is_published_wakes_a_waiting_projector() {
    let dir = tempfile::tempdir().unwrap();
    let (log, other) = (open(dir.path()), open(dir.path()));
    for (publishing, limit_ms) in [(&log, 50), (&other, 100)] {
        let (mut intake, _) = started(&log);
        let mut records = Records::default();
        while intake.next(&mut records, Duration::ZERO).unwrap() == Event::Records {}
        let mut waits: Vec<Duration> = (0..11).map(|_| wake_up(publishing, &mut *intake)).collect();
        waits.sort();
        assert!(waits[5] < Duration::from_millis(limit_ms), "{waits:?}");
    }
}

/// From the receipt of a record until a projector that waits has it.
fn wake_up(publishing: &Embedded, intake: &mut dyn Intake) -> Duration {
    std::thread::scope(|scope| {
        let came = scope.spawn(|| {
            let event = intake.next(&mut Records::default(), DEADLINE).unwrap();
            assert_eq!(event, Event::Records);
            Instant::now()
        });
        publish(publishing, &publishing.topics().commands, &[(0, "k", "v")]);
        let acknowledged = Instant::now();
        came.join().unwrap().saturating_duration_since(acknowledged)
    })
}

#[test]
fn batches_are_bounded_and_partitions_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let commands = &log.topics().commands;
    let many: Vec<_> = (0..12_000).map(|n| (u32::from(n >= 9_000), "k", "v")).collect();
    publish(&log, commands, &many);
    let (mut intake, _) = started(&log);
    let mut records = Records::default();
    let mut firsts = Vec::new();
    let mut count = 0;
    while intake.next(&mut records, Duration::ZERO).unwrap() == Event::Records {
        assert!(records.len() <= 4_096);
        count += records.len();
        firsts.push(records.iter().next().unwrap().partition);
    }
    assert_eq!((count, &firsts[..2]), (12_000, &[0, 1][..]));

    let large = "x".repeat(1 << 20);
    publish(&log, commands, &[(0, "", large.as_str()); 9]);
    assert_eq!(intake.next(&mut records, DEADLINE).unwrap(), Event::Records);
    assert_eq!(records.bytes(), 4 << 20);
}
