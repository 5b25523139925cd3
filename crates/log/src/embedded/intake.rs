//! The projector's end: commands in, transactions out. One at a time: the members of this group are one.

use std::{collections::HashSet, fs::File, sync::Arc, time::Duration};

use super::{
    cursor::Cursor,
    home::Home,
    schema,
    writer::{Writer, append, out_of_range, set_positions},
};
use crate::{Batch, Event, Gained, Intake, LogError, Offset, Partition, Records, TopicKind, Topics};

/// The only member of the group, as long as it holds the lock.
pub(super) struct EmbeddedIntake {
    pub(super) writer: Writer,
    cursor: Cursor,
    topics: Topics,
    commands: i64,
    announced: bool,
    committed: u64,
    /// Why a batch failed; nothing may be committed after that.
    failed: Option<String>,
    _lock: File,
}

impl EmbeddedIntake {
    /// Takes the group's lock.
    pub(super) fn open(home: Arc<Home>, topics: &Topics) -> Result<Self, LogError> {
        let name = format!("{}.lock", topics.group);
        let Some(lock) = home.try_lock(&name)? else {
            let path = home.lock_path(&name);
            return Err(LogError::InUse(format!("another projector runs on this log; it holds {}", path.display())));
        };
        let writer = Writer::open(Arc::clone(&home))?;
        let commands = home.named(schema::topic(&writer.conn, &topics.commands))?;
        let commands = commands.ok_or_else(|| LogError::NoTopic(topics.commands.to_string()))?.id;
        let cursor = Cursor::new(home, commands);
        let topics = topics.clone();
        Ok(Self { writer, cursor, topics, commands, announced: false, committed: 0, failed: None, _lock: lock })
    }

    fn gained(&self) -> rusqlite::Result<Vec<Gained>> {
        let conn = &self.writer.conn;
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

    fn still_good(&self) -> Result<(), LogError> {
        self.failed.as_ref().map_or(Ok(()), |reason| Err(LogError::Transaction(reason.clone())))
    }
}

impl Intake for EmbeddedIntake {
    fn next(&mut self, into: &mut Records, wait: Duration) -> Result<Event, LogError> {
        self.still_good()?;
        if !self.announced {
            into.clear();
            let gained = self.writer.home().named(self.gained())?;
            self.announced = true;
            return Ok(Event::Gained(gained));
        }
        let came = self.cursor.next(&self.writer.conn, into, wait)?;
        Ok(if came { Event::Records } else { Event::Idle })
    }

    fn has_joined(&self) -> bool {
        self.announced
    }

    fn start(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        let topic = &self.topics.commands;
        let bounds = self.writer.home().named(schema::bounds(&self.writer.conn, self.commands))?;
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

    fn submit(&mut self, batch: &mut Batch) -> Result<(), LogError> {
        self.still_good()?;
        if !batch.is_empty() {
            let group = &self.topics.group;
            let done = self.writer.transact(|tx, catalog| {
                append(tx, catalog, batch.rows(), |_| ())?;
                set_positions(tx, group, batch.positions())
            });
            self.cursor.look_again();
            done.inspect_err(|error| self.failed = Some(format!("an earlier batch failed: {error}")))?;
        }
        batch.clear();
        self.committed += 1;
        Ok(())
    }

    fn committed(&mut self) -> Result<u64, LogError> {
        self.still_good()?;
        Ok(self.committed)
    }

    fn settle(&mut self) -> Result<(), LogError> {
        self.still_good()
    }

    fn close(self: Box<Self>) -> Result<(), LogError> {
        self.still_good()
    }
}
