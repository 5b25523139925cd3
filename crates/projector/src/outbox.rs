//! The transaction that is being filled: rows encoded once for all who see the same bytes, outcomes, dead letters,
//! position rows, positions.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use partyline_ledger::{Addressed, Number, Outcome};
use partyline_log::{Backend, Batch, LogError, Offset, Partition, Record, Span};
use partyline_wire::{Cause, Exception, Outcomes, PositionRow, Verdict, encode_row, row_key};

use crate::{
    Settings,
    fold::Indexes,
    routes::{Route, Routes},
    state::StatePosition,
};

/// A transaction takes no more commands once so many of a partition were not accepted: they are listed in one record,
/// which must stay well below what a broker takes.
const EXCEPTIONS: usize = 4_000;
/// ... and once its rows are so many bytes to send: a broker aborts what it has not got whole after the transaction's
/// time-out. Where many services see the same bytes, that is many times what is held of them.
const SENT_BYTES: usize = 64 << 20;

/// What a projector has done, since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commands taken from the log.
    pub commands: u64,
    /// Of these, rejected by a rule.
    pub rejected: u64,
    /// Of these, seen before.
    pub duplicates: u64,
    /// Of these, not valid.
    pub invalid: u64,
    /// Rows published.
    pub rows: u64,
    /// Rows that had no topic to go to.
    pub unrouted: u64,
}

/// The transaction that is being filled.
pub(crate) struct Outbox {
    batch: Batch,
    routes: Routes,
    outcomes_topic: Arc<str>,
    dead_letters_topic: Arc<str>,
    log_topic: Arc<str>,
    open: BTreeMap<Partition, Open>,
    filled: Filled,
    position_age: Duration,
    pub counts: Counts,
}

/// How full the transaction is, beside the rows in the batch.
#[derive(Default)]
struct Filled {
    commands: usize,
    exceptions: usize,
    /// Of the parts that are taken out already.
    bytes: usize,
    /// The same, as they are sent.
    sent_bytes: usize,
    since: Option<Instant>,
}

/// What the transaction says of one partition.
struct Open {
    position: StatePosition,
    /// Rows out of the command at `next_offset`, if it is only half told.
    rows_out: u64,
    outcomes: Option<Outcomes>,
}

/// The command whose rows are being put in.
pub(crate) struct Telling {
    /// Where it is.
    pub partition: Partition,
    pub offset: Offset,
    /// Its log time.
    pub at_ms: i64,
    /// Each service's rows of it so far.
    pub indexes: Indexes,
    /// Rows of it that are out, counted for every service.
    pub rows_out: u64,
    /// As many of its rows were published before a crash and are skipped now.
    pub skip: u64,
}

impl Telling {
    pub fn new(record: Record<'_>, skip: u64) -> Self {
        let Record { partition, offset, at_ms, .. } = record;
        Self { partition, offset, at_ms, indexes: Indexes::default(), rows_out: 0, skip }
    }
}

impl Outbox {
    pub fn open(backend: &Arc<dyn Backend>, partitions: u32, settings: &Settings) -> Result<Self, LogError> {
        let topics = backend.topics();
        Ok(Self {
            batch: Batch::default(),
            outcomes_topic: Arc::clone(&topics.outcomes),
            dead_letters_topic: Arc::clone(&topics.dead_letters),
            log_topic: Arc::clone(&topics.commands),
            routes: Routes::open(Arc::clone(backend), partitions, settings)?,
            open: BTreeMap::new(),
            filled: Filled::default(),
            position_age: settings.position_age,
            counts: Counts::default(),
        })
    }

    /// Puts in rows of a command, each for its audience.
    pub fn rows(
        &mut self,
        number: &Number,
        rows: &[Addressed],
        telling: &mut Telling,
        now: Instant,
    ) -> Result<(), LogError> {
        for Addressed { to, row } in rows {
            let mut key: Option<Span> = None;
            let mut value: Option<(u32, Span)> = None;
            for ix in to.iter() {
                let index = telling.indexes.next(ix);
                telling.rows_out += 1;
                if telling.rows_out <= telling.skip {
                    continue;
                }
                let Some(member) = number.member(ix) else { continue };
                let Some(route) = self.routes.find(&member.service, now)? else {
                    self.counts.unrouted += 1;
                    continue;
                };
                let Some(route) = self.routes.get_mut(route) else { continue };
                let key = *key.get_or_insert_with(|| self.batch.write(|buf| row_key(buf, row)));
                let value = match value {
                    Some((same, span)) if same == index => span,
                    _ => {
                        let cause = Cause { partition: telling.partition, offset: telling.offset, index };
                        let span = self.batch.write(|buf| encode_row(buf, row, cause));
                        value = Some((index, span));
                        span
                    }
                };
                let target = route.target(&mut self.batch, telling.partition);
                self.batch.push(target, key, value);
                self.counts.rows += 1;
            }
        }
        Ok(())
    }

    /// Puts in a record that no service can be told about.
    pub fn dead_letter(&mut self, record: Record<'_>, reason: &str, detail: &str) {
        let key = self.batch.write(|buf| buf.extend_from_slice(record.key.unwrap_or_default()));
        let value = self.batch.write(|buf| buf.extend_from_slice(record.value.unwrap_or_default()));
        let headers = vec![
            ("reason", reason.to_owned()),
            ("detail", detail.to_owned()),
            ("source", format!("{}/{}@{}", self.log_topic, record.partition, record.offset)),
            ("at_ms", record.at_ms.to_string()),
        ];
        let target = self.batch.target(&self.dead_letters_topic, record.partition);
        self.batch.push_with_headers(target, key, value, headers);
    }

    /// A command is done: all below `position` is.
    pub fn done(
        &mut self,
        offset: Offset,
        position: StatePosition,
        verdict: Option<Verdict>,
        partition: Partition,
        now: Instant,
    ) {
        self.filled.commands += 1;
        self.counts.commands += 1;
        self.filled.exceptions += usize::from(verdict.is_some());
        let open = self.advance(partition, position, 0, now);
        let outcomes = open.outcomes.get_or_insert_with(|| Outcomes {
            partition,
            first_offset: offset,
            last_offset: offset,
            exceptions: Vec::new(),
        });
        outcomes.last_offset = offset;
        outcomes.exceptions.extend(verdict.map(|verdict| Exception { offset, verdict }));
    }

    /// A command is half told: it stays the next one, but so many of its rows are out. `at_ms` is the log time of the
    /// one before.
    pub fn half_told(&mut self, telling: &Telling, at_ms: i64, now: Instant) {
        let position = StatePosition { next_offset: telling.offset, at_ms };
        self.advance(telling.partition, position, telling.rows_out.max(telling.skip), now);
    }

    fn advance(&mut self, partition: Partition, position: StatePosition, rows_out: u64, now: Instant) -> &mut Open {
        self.filled.since.get_or_insert(now);
        let open = self.open.entry(partition).or_insert(Open { position, rows_out, outcomes: None });
        (open.position, open.rows_out) = (position, rows_out);
        open
    }

    /// Whether a bound is reached.
    pub fn is_full(&self, settings: &Settings, now: Instant) -> bool {
        let bytes = self.filled.bytes + self.batch.bytes();
        self.filled.commands >= settings.batch_commands
            || bytes >= settings.batch_bytes
            || (bytes >= settings.batch_bytes / 3 && self.is_half_told())
            || self.filled.sent_bytes + self.batch.sent_bytes() >= SENT_BYTES
            || self.filled.exceptions >= EXCEPTIONS
            || self.filled.since.is_some_and(|since| now.saturating_duration_since(since) >= settings.batch_age)
    }

    /// Whether a command's rows are out in part: other partitions wait for each piece of them.
    fn is_half_told(&self) -> bool {
        self.open.values().any(|open| open.rows_out > 0)
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The rows so far, if they are worth sending before the transaction is complete. They are to be taken out.
    pub fn part(&mut self, settings: &Settings) -> Option<&mut Batch> {
        if self.batch.bytes() < settings.part_bytes {
            return None;
        }
        self.filled.bytes += self.batch.bytes();
        self.filled.sent_bytes += self.batch.sent_bytes();
        self.routes.all().iter_mut().for_each(Route::leave);
        Some(&mut self.batch)
    }

    /// The transaction's last part, complete with outcomes, position rows and positions. It is to be taken out: the next
    /// one begins.
    pub fn finish(&mut self, now: Instant) -> &mut Batch {
        for (partition, open) in std::mem::take(&mut self.open) {
            if let Some(outcomes) = &open.outcomes {
                let value = self.batch.write(|buf| outcomes.encode(buf));
                let target = self.batch.target(&self.outcomes_topic, partition);
                self.batch.push(target, Span::default(), value);
            }
            let StatePosition { next_offset, at_ms } = open.position;
            let row = PositionRow { partition, next_offset, at_ms };
            let key = self.batch.write(|buf| row.key(buf));
            let value = self.batch.write(|buf| row.encode(buf));
            for route in self.routes.all() {
                if route.is_due(partition, now, self.position_age) {
                    let target = route.target(&mut self.batch, partition);
                    self.batch.push(target, key, value);
                }
            }
            let metadata = if open.rows_out > 0 { format!("rows={}", open.rows_out) } else { String::new() };
            self.batch.commit(partition, next_offset, metadata);
        }
        self.filled = Filled::default();
        self.routes.all().iter_mut().for_each(Route::leave);
        &mut self.batch
    }

    /// What producers are told of an outcome, counted.
    pub fn verdict(&mut self, outcome: Outcome) -> Option<Verdict> {
        match outcome {
            Outcome::Accepted => None,
            Outcome::Duplicate => {
                self.counts.duplicates += 1;
                Some(Verdict::Duplicate)
            }
            Outcome::Rejected { reason, .. } => {
                self.counts.rejected += 1;
                Some(Verdict::rejected(reason))
            }
        }
    }
}

/// How many rows of the command at a position are out, as its metadata says.
pub(crate) fn rows_out(metadata: &str) -> u64 {
    metadata.strip_prefix("rows=").and_then(|rows| rows.parse().ok()).unwrap_or_default()
}
