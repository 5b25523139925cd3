//! The projector's end: commands in, transactions out. The members of this group are one.

use std::{
    collections::HashSet,
    fs::File,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::Connection;

use super::{
    appends::Appends,
    cursor::Cursor,
    home::Home,
    schema,
    writer::{Writer, append, out_of_range, set_positions},
};
use crate::{
    Batch, Event, Gained, Intake, LogError, Offset, Partition, Position, Records, TopicKind, Topics,
    committer::{Committer, Lane},
};

/// The only member of the group, as long as it holds the lock.
pub(super) struct EmbeddedIntake {
    home: Arc<Home>,
    /// For reading.
    conn: Connection,
    cursor: Cursor,
    topics: Topics,
    commands: i64,
    announced: bool,
    committer: Committer,
    _lock: File,
}

/// So many transactions are under way at most: one is packed while the one before is committed.
const LANES: usize = 2;

/// Packs a transaction and commits it.
struct Commits {
    /// Only who commits uses it.
    writer: Arc<Mutex<Writer>>,
    group: String,
    parts: Vec<Batch>,
    appends: Appends,
    positions: Vec<Position>,
}

impl Lane for Commits {
    /// A disk may be slow; whom it waits for otherwise has a bound.
    const HANGS_AFTER: Duration = Duration::from_secs(120);

    /// Nobody else waits yet.
    fn write(&mut self, part: Batch) -> Result<(), LogError> {
        self.appends.add(part.rows());
        self.positions.extend_from_slice(part.positions());
        self.parts.push(part);
        Ok(())
    }

    fn complete(&mut self) -> Result<Vec<Batch>, LogError> {
        self.appends.complete();
        Ok(std::mem::take(&mut self.parts))
    }

    fn commit(&mut self) -> Result<(), LogError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.transact(|tx, catalog| {
            append(tx, catalog, &self.appends)?;
            set_positions(tx, &self.group, &self.positions)
        })?;
        self.appends.clear();
        self.positions.clear();
        Ok(())
    }

    /// What is only packed is nowhere yet.
    fn abort(&mut self) {}
}

impl EmbeddedIntake {
    /// Takes the group's lock.
    pub(super) fn open(home: Arc<Home>, topics: &Topics) -> Result<Self, LogError> {
        let writer = Writer::open(Arc::clone(&home))?;
        Self::with(home, topics, writer)
    }

    /// Takes the group's lock, and commits through `writer`.
    pub(super) fn with(home: Arc<Home>, topics: &Topics, writer: Writer) -> Result<Self, LogError> {
        let name = format!("{}.lock", topics.group);
        let Some(lock) = home.try_lock(&name)? else {
            let path = home.lock_path(&name);
            return Err(LogError::InUse(format!("another projector runs on this log; it holds {}", path.display())));
        };
        let conn = home.connect(false)?;
        let commands = home.named(schema::topic(&conn, &topics.commands))?;
        let commands = commands.ok_or_else(|| LogError::NoTopic(topics.commands.to_string()))?.id;
        let writer = Arc::new(Mutex::new(writer));
        let lane = |_| Commits {
            writer: Arc::clone(&writer),
            group: topics.group.clone(),
            parts: Vec::new(),
            appends: Appends::default(),
            positions: Vec::new(),
        };
        Ok(Self {
            cursor: Cursor::new(Arc::clone(&home), commands),
            committer: Committer::start((0..LANES).map(lane).collect())?,
            topics: topics.clone(),
            home,
            conn,
            commands,
            announced: false,
            _lock: lock,
        })
    }

    fn gained(&self) -> rusqlite::Result<Vec<Gained>> {
        let conn = &self.conn;
        let committed = schema::positions(conn, &self.topics.group)?;
        let written: HashSet<Partition> = schema::written(conn, TopicKind::View)?
            .into_iter()
            .filter(|(name, _)| self.topics.kind(name) == Some(TopicKind::View))
            .map(|(_, partition)| partition)
            .collect();
        let gained = schema::bounds(conn, self.commands)?.into_iter().map(|bounds| Gained {
            bounds,
            committed: committed.iter().find(|(p, _)| *p == bounds.partition).map(|(_, c)| c.clone()),
            views_empty: !written.contains(&bounds.partition),
        });
        Ok(gained.collect())
    }
}

impl Intake for EmbeddedIntake {
    fn next(&mut self, into: &mut Records, wait: Duration) -> Result<Event, LogError> {
        self.committer.committed()?;
        if !self.announced {
            into.clear();
            let gained = self.home.named(self.gained())?;
            self.announced = true;
            return Ok(Event::Gained(gained));
        }
        let came = self.cursor.next(&self.conn, into, wait)?;
        Ok(if came { Event::Records } else { Event::Idle })
    }

    fn has_joined(&self) -> bool {
        self.announced
    }

    fn start(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        let topic = &self.topics.commands;
        let bounds = self.home.named(schema::bounds(&self.conn, self.commands))?;
        let Some(bounds) = bounds.iter().find(|b| b.partition == partition) else {
            return Err(out_of_range(topic, partition));
        };
        if offset < bounds.begin || offset > bounds.end {
            let (begin, end) = (bounds.begin, bounds.end);
            let what = format!("{offset} of {topic}, partition {partition}, which has {begin} to {end}");
            return Err(LogError::OutOfRange(what));
        }
        self.cursor.start(partition, offset);
        Ok(())
    }

    fn pause(&mut self, partition: Partition) -> Result<(), LogError> {
        self.cursor.stop(partition);
        Ok(())
    }

    fn position(&self, partition: Partition) -> Offset {
        self.cursor.position(partition)
    }

    fn write(&mut self, part: &mut Batch) -> Result<(), LogError> {
        self.committer.write(part)
    }

    fn submit(&mut self, batch: &mut Batch) -> Result<(), LogError> {
        self.committer.submit(batch)
    }

    fn committed(&mut self) -> Result<u64, LogError> {
        self.committer.committed()
    }

    fn is_ready_within(&mut self, wait: Duration) -> Result<bool, LogError> {
        self.committer.is_ready_within(wait)
    }

    fn settle(&mut self) -> Result<(), LogError> {
        self.committer.settle()
    }

    fn close(self: Box<Self>) -> Result<(), LogError> {
        self.committer.settle()
    }
}

impl Drop for EmbeddedIntake {
    /// The lock is given back when nothing is written any more.
    fn drop(&mut self) {
        for thread in self.committer.stop() {
            drop(thread.join());
        }
    }
}
