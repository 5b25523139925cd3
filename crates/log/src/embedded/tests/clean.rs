//! Compaction against a naive fold, retention, readers beside them, offsets that are never used twice.

use std::collections::BTreeMap;

use super::*;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn now_ms() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64
}

/// Cleans until there is nothing to do; how many records were removed.
fn clean(log: &Embedded, now_ms: i64) -> u64 {
    let deadline = Instant::now() + DEADLINE;
    let mut removed = 0;
    loop {
        let done = log.clean(now_ms).unwrap();
        assert!(done.removed <= 5_000 && Instant::now() < deadline);
        removed += done.removed;
        if !done.more {
            return removed;
        }
    }
}

/// The last row of each key of each partition, and every row without a key: what compaction must leave.
fn folded(rows: &[Row]) -> Vec<Row> {
    let mut last: BTreeMap<(Partition, &str), Offset> = BTreeMap::new();
    for (partition, offset, key, _) in rows {
        last.insert((*partition, key), *offset);
    }
    rows.iter().filter(|(p, o, key, _)| key.is_empty() || last[&(*p, key.as_str())] == *o).cloned().collect()
}

/// A small deterministic generator (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn compaction_leaves_what_a_naive_fold_leaves() {
    for seed in 1..=12 {
        let dir = tempfile::tempdir().unwrap();
        let (log, view) = with_view(dir.path());
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut written: Vec<Row> = Vec::new();
        for round in 0..4 {
            let keys = 1 + random.below(400);
            let rows: Vec<(Partition, String, String)> = (0..random.below(3_000))
                .map(|n| {
                    let key = random.below(keys + 1);
                    let key = if key == keys { String::new() } else { format!("k{key}") };
                    (random.below(2) as u32, key, format!("{round}.{n}"))
                })
                .collect();
            let sent: Vec<_> = rows.iter().map(|(p, key, value)| (*p, key.as_str(), value.as_str())).collect();
            let placed = publish(&log, &view, &sent);
            written.extend(rows.into_iter().zip(placed).map(|((p, key, value), (_, offset))| (p, offset, key, value)));
            written.sort();
            // Everything is dirty for an hour and more: whatever the ratio, all is cleaned.
            clean(&log, now_ms() + HOUR_MS + DAY_MS);
            assert_eq!(all(&log, &view), folded(&written), "seed {seed}, round {round}");
        }
        assert_eq!(clean(&log, now_ms() + HOUR_MS + DAY_MS), 0, "seed {seed}");
    }
}

#[test]
fn compaction_begins_when_half_is_dirty_or_an_hour_old() {
    let dir = tempfile::tempdir().unwrap();
    let (log, view) = with_view(dir.path());
    let names: Vec<String> = (0..2_000).map(|n| format!("k{n}")).collect();
    let rows: Vec<_> = names.iter().map(|name| (0, name.as_str(), "1")).collect();
    publish(&log, &view, &[(1, "few", "1"), (1, "few", "2")]);
    publish(&log, &view, &rows);
    let now = now_ms();
    assert_eq!(clean(&log, now), 0);
    publish(&log, &view, &rows[..1_999]);
    assert_eq!(clean(&log, now), 0, "less than half is dirty");
    publish(&log, &view, &rows[..1]);
    assert_eq!(clean(&log, now), 2_000, "half is dirty");
    publish(&log, &view, &rows[..10]);
    assert_eq!(clean(&log, now), 0);
    assert_eq!(clean(&log, now + HOUR_MS + 60_000), 11, "an hour old");
}

#[test]
fn one_pass_removes_in_bounded_steps_and_commands_are_never_touched() {
    let dir = tempfile::tempdir().unwrap();
    let (log, view) = with_view(dir.path());
    let rows = vec![(0, "k", "v"); 30_000];
    publish(&log, &view, &rows);
    publish(&log, &log.topics().commands, &rows);
    assert_eq!(clean(&log, now_ms() + 400 * DAY_MS), 29_999);
    assert_eq!(all(&log, &view), [(0, 29_999, "k".to_owned(), "v".to_owned())]);
    assert_eq!(all(&log, &log.topics().commands).len(), 30_000);
    assert_eq!(log.bounds(&view).unwrap()[0].begin, 0);
}

#[test]
fn a_reader_goes_on_over_what_was_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (log, view) = with_view(dir.path());
    let other = open(dir.path());
    let names: Vec<String> = (0..10_000).map(|n| format!("k{}", n % 10)).collect();
    let rows: Vec<_> = names.iter().map(|name| (0, name.as_str(), "v")).collect();
    publish(&log, &view, &rows);
    let mut reader = other.reader(&view, &[(0, 0)]).unwrap();
    let mut records = Records::default();
    reader.next(&mut records, DEADLINE).unwrap();
    let mut seen = rows_of(&records);
    assert!(reader.position(0) > 0 && reader.position(0) < 5_000);
    assert_eq!(clean(&log, now_ms()), 9_990);
    seen.extend(read_to(&mut *reader, &[(0, 10_000)]));
    assert!(seen.is_sorted_by(|a, b| a.1 < b.1), "each row once, in order");
    assert_eq!(folded(&seen), all(&log, &view));
    assert_eq!(other.clean(now_ms()).unwrap(), super::super::Cleaned::default(), "one process cleans");
}

#[test]
fn readers_and_writers_beside_a_cleaner_miss_no_last_row() {
    let dir = tempfile::tempdir().unwrap();
    let (log, view) = with_view(dir.path());
    let other = open(dir.path());
    let rounds = 40;
    let keys: Vec<String> = (0..200).map(|n| format!("k{n}")).collect();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for round in 0..rounds {
                let value = round.to_string();
                let rows: Vec<_> = keys.iter().map(|key| (0, key.as_str(), value.as_str())).collect();
                publish(&other, &view, &rows);
            }
        });
        let reading = scope.spawn(|| {
            let mut reader = other.reader(&view, &[(0, 0)]).unwrap();
            read_to(&mut *reader, &[(0, 200 * rounds)])
        });
        while !writing.is_finished() {
            log.clean(now_ms() + DAY_MS).unwrap();
        }
        writing.join().unwrap();
        let read = reading.join().unwrap();
        assert!(read.is_sorted_by(|a, b| a.1 < b.1), "each row once, in order");
        clean(&log, now_ms() + DAY_MS);
        assert_eq!(folded(&read), all(&log, &view));
    });
}

#[test]
fn retention_removes_what_is_too_old_and_moves_the_begin() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let (outcomes, dead) = (&log.topics().outcomes, &log.topics().dead_letters);
    for topic in [outcomes, dead] {
        publish(&log, topic, &vec![(1, "", "v"); 12_000]);
    }
    let ends = |topic: &str| log.bounds(topic).unwrap().iter().map(|b| (b.begin, b.end)).collect::<Vec<_>>();
    assert_eq!(clean(&log, now_ms() + 7 * DAY_MS - 60_000), 0);
    assert_eq!(clean(&log, now_ms() + 8 * DAY_MS), 12_000);
    assert_eq!((ends(outcomes), ends(dead)), (vec![(0, 0), (12_000, 12_000)], vec![(0, 0), (0, 12_000)]));
    assert_eq!(clean(&log, now_ms() + 31 * DAY_MS), 12_000);
    assert!(log.reader(dead, &[(1, 11_999)]).is_err());

    // No offset is used again, not after opening the file anew either.
    drop(log);
    let log = open(dir.path());
    assert_eq!(publish(&log, &log.topics().outcomes, &[(1, "", "v")]), [(1, 12_000)]);
}
