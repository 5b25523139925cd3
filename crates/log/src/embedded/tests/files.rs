//! Opening: new, again, at once, not ours, not usable; and a disk that is full.

use rusqlite::Connection;

use super::{
    super::{intake::EmbeddedIntake, writer::Writer},
    *,
};
use crate::{LogError, TopicProblem};

fn refused(dir: &Path) -> String {
    match Embedded::open(dir, topics(), PARTITIONS) {
        Err(LogError::Embedded { path, reason }) => {
            assert_eq!(path, dir.display().to_string());
            reason
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened"),
    }
}

#[test]
fn a_new_log_has_its_topics_and_keeps_its_id() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir.path().join("made/on/the/way"));
    assert_eq!(log.list().unwrap(), ["partyline.commands.v1", "partyline.dlq.v1", "partyline.outcomes.v1"]);
    assert!(log.list().unwrap().iter().all(|topic| log.partitions(topic).unwrap() == Some(PARTITIONS)));
    let id = log.id().unwrap();
    publish(&log, &log.topics().commands, &[(0, "k", "v")]);
    drop(log);
    let log = Embedded::open(&dir.path().join("made/on/the/way"), topics(), 7).unwrap();
    assert_eq!((log.id().unwrap(), log.partitions(&log.topics().commands).unwrap()), (id.clone(), Some(PARTITIONS)));
    assert_eq!(all(&log, &log.topics().commands).len(), 1);
    assert_ne!(open(dir.path()).id().unwrap(), id);
}

#[test]
fn processes_that_open_a_new_log_at_once_get_the_same_one() {
    for _ in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let ids: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| open(dir.path()).id().unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

#[test]
fn topics_are_created_once_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let (log, view) = with_view(dir.path());
    assert!(!log.create(&view, TopicKind::View, 9).unwrap());
    assert_eq!(log.check(&view, TopicKind::View, PARTITIONS).unwrap(), []);
    let wrong = log.check(&view, TopicKind::Outcomes, 9).unwrap();
    let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert_eq!(wrong, ["2 partitions, not 9", "kind is view, not outcomes"]);
    assert_eq!(log.check("partyline.view.x.v1", TopicKind::View, 2).unwrap(), [TopicProblem::Missing]);
    assert_eq!(log.partitions("partyline.view.x.v1").unwrap(), None);
    assert!(matches!(log.bounds("partyline.view.x.v1"), Err(LogError::NoTopic(_))));
    for (name, kind, partitions) in [("foreign", TopicKind::View, 2), (&*view, TopicKind::Commands, 2)] {
        assert!(matches!(log.create(name, kind, partitions), Err(LogError::Refused(_))));
    }
    for partitions in [0, 4_097] {
        let name = topics().view("crm");
        assert!(matches!(log.create(&name, TopicKind::View, partitions), Err(LogError::Refused(_))));
    }
    assert!(log.list().unwrap().contains(&view.to_string()));
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("log.sqlite");
    std::fs::write(&file, "this is not a database, but long enough to be looked at as one ".repeat(20)).unwrap();
    assert_eq!(refused(dir.path()), "log.sqlite is not a log of partyline");

    std::fs::remove_file(&file).unwrap();
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
    assert_eq!(refused(dir.path()), "it is another program's SQLite file");
    std::fs::remove_file(&file).unwrap();
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 1").unwrap();
    assert_eq!(refused(dir.path()), "it is another program's SQLite file");

    std::fs::remove_file(&file).unwrap();
    drop(open(dir.path()));
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 4").unwrap();
    assert_eq!(refused(dir.path()), "its format is version 4; this program knows version 3");
}

#[test]
fn records_lie_in_bounded_blocks_and_damage_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (log, view) = with_view(dir.path());
    let large = "v".repeat(100 << 10);
    publish(&log, &view, &[vec![(0, "k", "v"); 2_500], vec![(0, "k", large.as_str()); 2]].concat());
    let file = Connection::open(dir.path().join("log.sqlite")).unwrap();
    let table = "records_4_0";
    let firsts: Vec<i64> = {
        let mut firsts = file.prepare(&format!("SELECT first FROM {table} ORDER BY first")).unwrap();
        firsts.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(firsts, [0, 1_000, 2_000, 2_501]);

    file.execute(&format!("UPDATE {table} SET records = zeroblob(99) WHERE first = 1000"), []).unwrap();
    let mut reader = log.reader(&view, &[(0, 0)]).unwrap();
    let error = reader.next(&mut Records::default(), DEADLINE).unwrap_err();
    let named = format!("log.sqlite is damaged: the records from offset 1000 on in its table {table}");
    assert!(matches!(&error, LogError::Embedded { reason, .. } if *reason == named), "{error}");
    assert_eq!(read_to(&mut *log.reader(&view, &[(0, 2_000)]).unwrap(), &[(0, 2_502)]).len(), 502);
}

#[test]
fn a_directory_that_cannot_be_used_and_a_log_of_other_topics_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(!refused(&file).is_empty());
    assert!(!refused(&file.join("below")).is_empty());
    assert!(!refused(Path::new("/proc/partyline")).is_empty());

    drop(open(dir.path()));
    let other = Embedded::open(dir.path(), Topics::new("other"), PARTITIONS);
    assert!(matches!(other, Err(LogError::Refused(_))));
    assert!(matches!(Embedded::open(&dir.path().join("new"), topics(), 0), Err(LogError::Refused(_))));
}

#[test]
fn a_full_disk_loses_nothing_that_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let (log, view) = with_view(dir.path());
    let writer = Writer::open(Arc::clone(&log.home)).unwrap();
    // SQLite's own limit gives the same error as a disk.
    writer.conn.pragma_update(None, "max_page_count", 100).unwrap();
    let mut intake = EmbeddedIntake::with(Arc::clone(&log.home), log.topics(), writer).unwrap();
    let mut committed = 0;
    let error = loop {
        let mut batch = Batch::default();
        for _ in 0..100 {
            add(&mut batch, &view, 0, "k", &"v".repeat(500));
        }
        batch.commit(0, committed + 1, String::new());
        match intake.submit(&mut batch).and_then(|()| intake.settle()) {
            Ok(()) => committed += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, LogError::Embedded { reason, .. } if reason == "the disk is full"), "{error}");
    assert!(committed > 0);
    drop((intake, log));
    let log = open(dir.path());
    assert_eq!(all(&log, &view).len() as u64, committed * 100);
    assert_eq!(log.committed().unwrap()[0].1.next_offset, committed);
}

#[test]
fn a_log_that_others_keep_busy_fails_in_bounded_time() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let other = Connection::open(dir.path().join("log.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    let mut publisher = log.publisher().unwrap();
    publisher.send(7, &log.topics().commands, 0, b"k", b"v").unwrap();
    assert!(matches!(publisher.receipts(DEADLINE), Err(LogError::Unreachable(_))));
    assert!(begun.elapsed() >= Duration::from_secs(9) && begun.elapsed() < DEADLINE);
    // Reading goes on meanwhile, and what was queued is committed as soon as that is possible again.
    assert!(all(&log, &log.topics().commands).is_empty());
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(publisher.outstanding(), 1);
    assert_eq!(publisher.receipts(DEADLINE).unwrap()[0].result, Ok((0, 0)));
}
