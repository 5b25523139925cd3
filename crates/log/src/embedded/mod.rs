//! The log in one SQLite file, for several processes at once.
//!
//! - the directory: `home.rs` has its connections, its locks and the names of its errors; `bell.rs` wakes threads.
//! - the file: `schema.rs` has the tables and the format's version, `layout.rs` which table a record is in, `block.rs` how
//!   hundreds of them are one row.
//! - writing: `appends.rs` packs what a transaction appends; `writer.rs` is the one place that begins a transaction; `intake.rs` (the projector's end) and
//!   `publisher.rs` (producers) go through it.
//! - reading: `cursor.rs` waits for records and reads them; `intake.rs` and `reader.rs` go through it.
//! - `clean.rs`: compaction and retention, in steps that the owner calls.
//!
//! The only threads that are started here are those that pack and commit for the projector.
//!
//! Everything is durable when a call says that it is committed: WAL with `synchronous=FULL`. Readers never block a
//! writer; writers wait for each other, at most [`BUSY_TIMEOUT_S`].

mod appends;
mod bell;
mod block;
mod clean;
mod cursor;
mod home;
mod intake;
mod layout;
mod publisher;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, TransactionBehavior};

use self::{
    clean::Cleaner,
    home::{Failure, Home},
};
use crate::{
    Backend, Bounds, Committed, Intake, LogError, Offset, Partition, Publisher, Reader, TopicKind, TopicProblem, Topics,
};

pub use self::clean::Cleaned;
pub use self::home::BUSY_TIMEOUT_S;

/// The embedded log. One value a process, shared by its threads: they wake each other at once, while what another
/// process appends is noticed within about 10 ms.
pub struct Embedded {
    home: Arc<Home>,
    topics: Topics,
    id: String,
    admin: Mutex<Connection>,
    cleaner: Mutex<Option<Cleaner>>,
}

impl Embedded {
    /// Opens the log in `dir`. Where there is none yet, makes it: with the commands, outcomes and dead-letter topics
    /// of `topics`, of `partitions` partitions each (fixed for life; not looked at when the log is there already).
    /// Several processes may do so at the same time.
    ///
    /// # Errors
    /// [`LogError::Embedded`] if the directory or the file cannot be used (no permission, not ours, corrupt, another
    /// format version), [`LogError::Refused`] for an impossible partition count or a log of other topics,
    /// [`LogError::Unreachable`] if other processes kept it busy for [`BUSY_TIMEOUT_S`].
    pub fn open(dir: &Path, topics: Topics, partitions: u32) -> Result<Self, LogError> {
        let home = Home::new(dir)?;
        let conn = schema::open(&home, &topics, partitions)?;
        let id = home.named(schema::log_id(&conn))?;
        let embedded = Self { home: Arc::new(home), topics, id, admin: Mutex::new(conn), cleaner: Mutex::new(None) };
        if embedded.partitions(&embedded.topics.commands)?.is_none() {
            let (dir, commands) = (embedded.home.dir().display(), &embedded.topics.commands);
            return Err(LogError::Refused(format!("the log in {dir} has no topic {commands}: it is another log's")));
        }
        Ok(embedded)
    }

    /// Does one bounded step of compaction and retention, and says what it did; call it again at once while
    /// [`Cleaned::more`] says so, otherwise after a second or so. `now_ms`: the time, milliseconds since 1970.
    ///
    /// View topics are compacted as Kafka does it: of the rows with one key the last remains, and no offset is used
    /// twice. Outcomes are kept 7 days, dead letters 30 (contract: Topics). One process at a time cleans; in any
    /// other this does nothing.
    ///
    /// # Errors
    /// As any write. Nothing is lost by an error; the next call goes on.
    pub fn clean(&self, now_ms: i64) -> Result<Cleaned, LogError> {
        let mut cleaner = self.cleaner.lock().unwrap_or_else(PoisonError::into_inner);
        if cleaner.is_none() {
            let Some(lock) = self.home.try_lock("clean.lock")? else { return Ok(Cleaned::default()) };
            *cleaner = Some(Cleaner::new(Arc::clone(&self.home), lock)?);
        }
        cleaner.as_mut().map_or(Ok(Cleaned::default()), |cleaner| cleaner.step(now_ms))
    }

    fn admin(&self) -> MutexGuard<'_, Connection> {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, topic: &str) -> Result<layout::Topic, LogError> {
        let found = self.home.named(schema::topic(&self.admin(), topic))?;
        found.ok_or_else(|| LogError::NoTopic(topic.to_owned()))
    }
}

impl Backend for Embedded {
    fn id(&self) -> Result<String, LogError> {
        Ok(self.id.clone())
    }

    fn topics(&self) -> &Topics {
        &self.topics
    }

    fn partitions(&self, topic: &str) -> Result<Option<u32>, LogError> {
        Ok(self.home.named(schema::topic(&self.admin(), topic))?.map(|found| found.partitions))
    }

    fn list(&self) -> Result<Vec<String>, LogError> {
        let mut names = self.home.named(schema::topic_names(&self.admin()))?;
        names.retain(|name| self.topics.kind(name).is_some());
        names.sort();
        Ok(names)
    }

    fn create(&self, topic: &str, kind: TopicKind, partitions: u32) -> Result<bool, LogError> {
        if self.topics.kind(topic) != Some(kind) {
            return Err(LogError::Refused(format!("{topic} is not the name of a topic of this kind")));
        }
        layout::check_partitions(partitions)?;
        let mut admin = self.admin();
        let mut create = || {
            let tx = admin.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let made = schema::create_topic(&tx, topic, kind, partitions)?;
            tx.commit()?;
            Ok::<_, Failure>(made)
        };
        self.home.named(create())
    }

    fn check(&self, topic: &str, kind: TopicKind, partitions: u32) -> Result<Vec<TopicProblem>, LogError> {
        let Some(found) = self.home.named(schema::topic(&self.admin(), topic))? else {
            return Ok(vec![TopicProblem::Missing]);
        };
        let mut problems = Vec::new();
        if found.partitions != partitions {
            problems.push(TopicProblem::Partitions { found: found.partitions, expected: partitions });
        }
        let expected = schema::kind_name(kind);
        if found.kind != expected {
            let name = "kind".to_owned();
            problems.push(TopicProblem::Setting { name, found: found.kind, expected: expected.to_owned() });
        }
        Ok(problems)
    }

    fn bounds(&self, topic: &str) -> Result<Vec<Bounds>, LogError> {
        let known = self.known(topic)?;
        self.home.named(schema::bounds(&self.admin(), known.id))
    }

    fn intake(&self, _member: &str) -> Result<Box<dyn Intake>, LogError> {
        Ok(Box::new(intake::EmbeddedIntake::open(Arc::clone(&self.home), &self.topics)?))
    }

    fn reader(&self, topic: &str, from: &[(Partition, Offset)]) -> Result<Box<dyn Reader>, LogError> {
        let bounds = self.bounds(topic)?;
        let known = self.known(topic)?;
        Ok(Box::new(reader::EmbeddedReader::open(Arc::clone(&self.home), topic, known.id, from, &bounds)?))
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, LogError> {
        Ok(Box::new(publisher::EmbeddedPublisher::open(Arc::clone(&self.home))?))
    }

    fn committed(&self) -> Result<Vec<(Partition, Committed)>, LogError> {
        self.home.named(schema::positions(&self.admin(), &self.topics.group))
    }
}
