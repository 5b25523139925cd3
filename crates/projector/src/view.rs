//! A view worker: one service's topic in, its store out. No consumer group: positions are kept with the rows.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use partyline_log::{Backend, GENERATION, LogError, Offset, Partition, Reader, Records};
use partyline_store::{Database, Identity, Options, Rows, Store};
use partyline_wire::PositionRow;

use crate::{Answer, Progress, Query, Settings, WorkError, keeping::Keeping, query};

/// The version of a view's store.
const FORMAT: u32 = 2;
/// The name of the only store in a view's database, and of its rows.
pub(crate) const NAME: &str = "view";
/// Each step tidies the store by so many bytes, and three times as many as it read: more never comes to be done.
const TIDY_BYTES: usize = 64 << 10;

/// The follower of one service's topic. Moved by [`View::step`]; if that fails it is of no use any more.
pub struct View {
    rows: RowStore,
    reader: Box<dyn Reader>,
    records: Records,
    settings: Settings,
    checkpointed: Instant,
    since_checkpoint: u64,
}

/// A view's rows, and how far they have come.
pub(crate) struct RowStore {
    pub rows: Rows,
    keeping: Keeping,
    store: Store,
    database: Database,
    pub position: ViewPosition,
}

/// How far a view has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ViewPosition {
    /// By partition of its topic: the next offset to take.
    pub topic: BTreeMap<Partition, Offset>,
    /// By partition of the log: what the newest position row says.
    pub reflects: BTreeMap<u32, PositionRow>,
}

impl View {
    /// Opens the store in `dir` and goes on where it ended; one that is in doubt is moved aside and built anew.
    ///
    /// # Errors
    /// If there is no such topic, or the store is in use.
    pub fn open(
        backend: &Arc<dyn Backend>,
        service: &str,
        dir: &Path,
        settings: Settings,
        now: Instant,
    ) -> Result<Self, WorkError> {
        let topic = backend.topics().view(service);
        let bounds = match backend.partitions(&topic)? {
            Some(_) => backend.bounds(&topic)?,
            None => return Err(LogError::NoTopic(topic.to_string()).into()),
        };
        let identity = identity(&format!("view:{service}"), backend.id()?, &topic);
        let mut rows = RowStore::open(dir, &identity, settings.lasting())?;
        let is_another = |(partition, offset): (&Partition, &Offset)| {
            bounds.iter().find(|b| b.partition == *partition).is_none_or(|b| *offset > b.end || *offset < b.begin)
        };
        if rows.position.topic.iter().any(is_another) {
            rows.database.distrust("the topic was made anew, or lost rows that were not read yet");
            drop(rows);
            rows = RowStore::open(dir, &identity, settings.lasting())?;
        }
        let from: Vec<_> = bounds
            .iter()
            .map(|b| (b.partition, rows.position.topic.get(&b.partition).copied().unwrap_or(b.begin)))
            .collect();
        let reader = backend.reader(&topic, &from)?;
        rows.position.topic = from.into_iter().collect();
        let records = Records::default();
        Ok(Self { rows, reader, records, settings, checkpointed: now, since_checkpoint: 0 })
    }

    /// Takes what is there, or waits up to `wait` for it; keeps it when that is due.
    ///
    /// # Errors
    /// See [`WorkError::is_passing`].
    pub fn step(&mut self, now: Instant, wait: Duration) -> Result<Progress, WorkError> {
        self.rows.keep_on()?;
        self.reader.next(&mut self.records, wait)?;
        for record in self.records.iter() {
            let (Some(key), Some(value)) = (record.key, record.value) else { continue };
            if key.starts_with(PositionRow::KEY_PREFIX) {
                self.rows.position.reflects.extend(PositionRow::decode(value).map(|row| (row.partition, row)));
            } else {
                self.rows.rows.put(key, value)?;
            }
        }
        self.rows.position.topic.iter_mut().for_each(|(partition, at)| *at = self.reader.position(*partition));
        let taken = self.records.len() as u64;
        self.since_checkpoint += taken;
        let old = now.saturating_duration_since(self.checkpointed) >= self.settings.checkpoint_age;
        if self.rows.rows.pending_bytes() >= self.settings.dirty_bytes || (old && self.since_checkpoint > 0) {
            self.checkpoint(now)?;
        }
        self.rows.rows.tidy(TIDY_BYTES + 3 * self.records.bytes())?;
        Ok(if taken > 0 { Progress::Worked } else { Progress::Idle })
    }

    /// Keeps everything taken so far.
    ///
    /// # Errors
    /// Those of the store.
    pub fn checkpoint(&mut self, now: Instant) -> Result<(), WorkError> {
        self.rows.checkpoint()?;
        self.since_checkpoint = 0;
        self.checkpointed = now;
        Ok(())
    }

    /// Answers a question about everything taken so far.
    ///
    /// # Errors
    /// Those of the store.
    pub fn answer(&mut self, query: &Query, now: Instant) -> Result<Answer, WorkError> {
        if self.since_checkpoint > 0 {
            self.checkpoint(now)?;
        }
        query::answer(&self.rows.rows, &self.rows.position, query)
    }

    /// Keeps everything and closes the store cleanly.
    ///
    /// # Errors
    /// Those of the store.
    pub fn close(mut self) -> Result<(), WorkError> {
        self.rows.checkpoint()?;
        self.rows.close()
    }

    /// The position in a partition of its topic: everything below is taken.
    pub fn position(&self, partition: Partition) -> Offset {
        self.reader.position(partition)
    }
}

pub(crate) fn identity(role: &str, log_id: String, topic: &str) -> Identity {
    Identity {
        role: role.to_owned(),
        log_id,
        topic: topic.to_owned(),
        generation: GENERATION.to_owned(),
        format: FORMAT,
    }
}

impl RowStore {
    pub fn open(dir: &Path, identity: &Identity, options: Options) -> Result<Self, WorkError> {
        let opened = Database::open(dir, identity, options)?;
        if let Some(aside) = opened.moved_aside {
            tracing::warn!(path = %aside.path.display(), reason = %aside.reason, "a store in doubt was moved aside");
        }
        let database = opened.database;
        let store = database.store(NAME)?;
        let rows = store.rows(NAME)?;
        let position = store.position().and_then(ViewPosition::decode).unwrap_or_default();
        Ok(Self { rows, keeping: Keeping::default(), store, database, position })
    }

    /// Begins a checkpoint, once the one before counts. What comes here is committed: it may count at once.
    pub fn checkpoint(&mut self) -> Result<(), WorkError> {
        let Self { rows, keeping, store, position, .. } = self;
        Ok(keeping.begin_committed(|| store.begin_checkpoint(&position.encode(), &mut [rows]))?)
    }

    /// Takes note of a checkpoint's end.
    pub fn keep_on(&mut self) -> Result<(), WorkError> {
        Ok(self.keeping.go_on(0)?)
    }

    pub fn close(mut self) -> Result<(), WorkError> {
        self.keeping.finish()?;
        let Self { rows, store, database, .. } = self;
        drop((rows, store));
        Ok(database.close()?)
    }
}

impl ViewPosition {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = u32::try_from(self.topic.len()).unwrap_or_default().to_le_bytes().to_vec();
        for (partition, offset) in &self.topic {
            bytes.extend_from_slice(&partition.to_le_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        for row in self.reflects.values() {
            bytes.extend_from_slice(&row.partition.to_le_bytes());
            bytes.extend_from_slice(&row.next_offset.to_le_bytes());
            bytes.extend_from_slice(&row.at_ms.to_le_bytes());
        }
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, mut bytes) = bytes.split_first_chunk()?;
        let mut position = Self::default();
        for _ in 0..u32::from_le_bytes(*count) {
            let partition = u32::from_le_bytes(*next(&mut bytes)?);
            position.topic.insert(partition, u64::from_le_bytes(*next(&mut bytes)?));
        }
        while !bytes.is_empty() {
            let partition = u32::from_le_bytes(*next(&mut bytes)?);
            let next_offset = u64::from_le_bytes(*next(&mut bytes)?);
            let at_ms = i64::from_le_bytes(*next(&mut bytes)?);
            position.reflects.insert(partition, PositionRow { partition, next_offset, at_ms });
        }
        Some(position)
    }
}

fn next<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}
