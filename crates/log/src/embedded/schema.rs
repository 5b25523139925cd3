//! The tables of the file, its format's version, and the small questions about topics, bounds and positions.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::{
    home::{Failure, Home},
    layout::{self, Slot, Topic},
};
use crate::{Bounds, Committed, LogError, Offset, Partition, TopicKind, Topics};

/// Marks a SQLite file as ours: "prty".
const APPLICATION_ID: i64 = 0x7072_7479;
/// Another version of the format is refused.
const FORMAT: i64 = 3;

/// Larger than SQLite's default: blocks are large and written in order. Bytes.
const PAGE_BYTES: u32 = 16 << 10;

/// - `records_TOPIC_PARTITION`: the records of one partition, in blocks (block.rs); made with their topic. `first`: the
///   offset that the block was appended at, also when its first records are gone.
/// - `partitions`: `id` is the slot (layout.rs). `begin`: the first offset that can be read, moved by retention only. `end`: the
///   next offset, which outlives the records, so that none is used twice. `cleaned`: compaction has been up to here,
///   and `kept` records remain below.
/// - `positions`: what the projectors' group has committed.
const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE topics (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, partitions INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE partitions (
        id INTEGER PRIMARY KEY, begin INTEGER NOT NULL DEFAULT 0, end INTEGER NOT NULL DEFAULT 0,
        cleaned INTEGER NOT NULL DEFAULT 0, kept INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE positions (
        consumers TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL, metadata TEXT NOT NULL,
        PRIMARY KEY (consumers, partition)
    ) STRICT, WITHOUT ROWID;
";

/// Opens the file, and makes it if it is new.
pub(super) fn open(home: &Home, topics: &Topics, partitions: u32) -> Result<Connection, LogError> {
    let mut conn = home.connect(true)?;
    if home.named(pragma(&conn, "user_version"))? == 0 {
        // Whoever comes first makes it; the switch to WAL cannot be part of SQLite's own transaction.
        let _lock = home.lock("create.lock")?;
        if home.named(pragma(&conn, "user_version"))? == 0 {
            home.named(make(home, &mut conn, topics, partitions))?;
        }
    }
    let (id, format) = (home.named(pragma(&conn, "application_id"))?, home.named(pragma(&conn, "user_version"))?);
    if id != APPLICATION_ID {
        return Err(home.unusable("it is another program's SQLite file".to_owned()));
    }
    if format != FORMAT {
        return Err(home.unusable(format!("its format is version {format}; this program knows version {FORMAT}")));
    }
    Ok(conn)
}

fn make(home: &Home, conn: &mut Connection, topics: &Topics, partitions: u32) -> Result<(), Failure> {
    layout::check_partitions(partitions)?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if tables != 0 || pragma(conn, "application_id")? != 0 {
        return Err(home.unusable("it is another program's SQLite file".to_owned()).into());
    }
    conn.pragma_update(None, "page_size", PAGE_BYTES)?;
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(home.unusable(format!("no write-ahead log on this file system (mode {mode})")).into());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(TABLES)?;
    tx.execute("INSERT INTO meta VALUES ('id', ?1)", [uuid::Uuid::new_v4().to_string()])?;
    create_topic(&tx, &topics.commands, TopicKind::Commands, partitions)?;
    create_topic(&tx, &topics.outcomes, TopicKind::Outcomes, partitions)?;
    create_topic(&tx, &topics.dead_letters, TopicKind::DeadLetters, partitions)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", FORMAT)?;
    Ok(tx.commit()?)
}

fn pragma(conn: &Connection, name: &str) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, name, |row| row.get(0))
}

/// How a kind is written in the file.
pub(super) fn kind_name(kind: TopicKind) -> &'static str {
    match kind {
        TopicKind::Commands => "commands",
        TopicKind::View => "view",
        TopicKind::Outcomes => "outcomes",
        TopicKind::DeadLetters => "dead letters",
    }
}

/// What this log is.
pub(super) fn log_id(conn: &Connection) -> rusqlite::Result<String> {
    conn.query_row("SELECT value FROM meta WHERE name = 'id'", [], |row| row.get(0))
}

/// Makes a topic; `false` if it is there already. Inside a transaction.
pub(super) fn create_topic(conn: &Connection, name: &str, kind: TopicKind, partitions: u32) -> Result<bool, Failure> {
    if topic(conn, name)?.is_some() {
        return Ok(false);
    }
    let id: i64 = conn.query_row("SELECT coalesce(max(id), 0) + 1 FROM topics", [], |row| row.get(0))?;
    if id > layout::TOPICS_MAX {
        return Err(LogError::Refused(format!("no more than {} topics", layout::TOPICS_MAX)).into());
    }
    let values = params![id, name, kind_name(kind), partitions];
    conn.execute("INSERT INTO topics (id, name, kind, partitions) VALUES (?1, ?2, ?3, ?4)", values)?;
    for slot in (0..partitions).map(|partition| Slot::new(id, partition)) {
        conn.execute("INSERT INTO partitions (id) VALUES (?1)", [slot.0])?;
        let columns = "first INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, records BLOB NOT NULL";
        conn.execute_batch(&format!("CREATE TABLE {} ({columns}) STRICT", slot.table()))?;
    }
    Ok(true)
}

/// Finds a topic.
pub(super) fn topic(conn: &Connection, name: &str) -> rusqlite::Result<Option<Topic>> {
    conn.prepare_cached("SELECT id, kind, partitions FROM topics WHERE name = ?1")?
        .query_row([name], |row| Ok(Topic { id: row.get(0)?, kind: row.get(1)?, partitions: row.get(2)? }))
        .optional()
}

/// The names of all topics.
pub(super) fn topic_names(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare_cached("SELECT name FROM topics")?.query_map([], |row| row.get(0))?.collect()
}

/// The bounds of a topic's partitions, in order.
pub(super) fn bounds(conn: &Connection, topic: i64) -> rusqlite::Result<Vec<Bounds>> {
    let (first, past) = Slot::range(topic);
    conn.prepare_cached("SELECT id, begin, end FROM partitions WHERE id >= ?1 AND id < ?2 ORDER BY id")?
        .query_map([first.0, past.0], |row| {
            let partition = Slot(row.get(0)?).partition();
            Ok(Bounds { partition, begin: offset(row, 1)?, end: offset(row, 2)? })
        })?
        .collect()
}

/// The end of one partition.
pub(super) fn end(conn: &Connection, slot: Slot) -> rusqlite::Result<Offset> {
    conn.prepare_cached("SELECT end FROM partitions WHERE id = ?1")?.query_row([slot.0], |row| offset(row, 0))
}

/// The positions of a group, by partition.
pub(super) fn positions(conn: &Connection, group: &str) -> rusqlite::Result<Vec<(Partition, Committed)>> {
    let sql = "SELECT partition, next_offset, metadata FROM positions WHERE consumers = ?1 ORDER BY partition";
    conn.prepare_cached(sql)?
        .query_map([group], |row| Ok((row.get(0)?, Committed { next_offset: offset(row, 1)?, metadata: row.get(2)? })))?
        .collect()
}

/// Names of the topics of `kind` that ever had a record, with the partition it was in.
pub(super) fn written(conn: &Connection, kind: TopicKind) -> rusqlite::Result<Vec<(String, Partition)>> {
    let sql = "SELECT t.name, p.id FROM topics t JOIN partitions p ON p.id BETWEEN (t.id << 12) AND (t.id << 12) + 4095
               WHERE t.kind = ?1 AND p.end > 0";
    conn.prepare_cached(sql)?
        .query_map([kind_name(kind)], |row| Ok((row.get(0)?, Slot(row.get(1)?).partition())))?
        .collect()
}

/// An offset in a column.
pub(super) fn offset(row: &Row<'_>, column: usize) -> rusqlite::Result<Offset> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}
