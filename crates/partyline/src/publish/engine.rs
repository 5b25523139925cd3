//! Sends commands, takes receipts, waits for outcomes. One thread; everything that waits is bounded.

use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use partyline_log::{Backend, LogError, Publisher, Receipt};
use partyline_wire::partition_of;

use super::{
    lines::{Chunk, Good, Item},
    outcomes::{Placed, Waiting},
    report::Report,
};
use crate::{exit::Exit, run::Stop};

/// So many commands may be without a receipt, or with `--wait` without an answer.
const WAITING_COMMANDS_MAX: usize = 100_000;
/// Receipts are taken after so many commands: the embedded log commits what is queued then.
const RECEIPTS_COMMANDS: usize = 8_000;
/// While something is queued, more is waited for only so long.
const SOON: Duration = Duration::from_millis(2);
/// While nothing is queued.
const IDLE: Duration = Duration::from_millis(50);

/// Publishes to one log.
pub struct Engine<'a> {
    backend: &'a dyn Backend,
    publisher: Box<dyn Publisher>,
    partitions: u32,
    sent: Sent,
    waiting: Option<(Waiting, Duration)>,
    report: Report,
    /// Commands sent since receipts were taken.
    untaken: usize,
    /// When something was last published or answered.
    moved: Instant,
}

/// Commands without a receipt, by tag: tags count up, so they lie in a row.
#[derive(Default)]
struct Sent {
    first: u64,
    row: VecDeque<Option<(u64, Box<str>)>>,
}

impl<'a> Engine<'a> {
    /// `wait`: every command's outcome is waited for, until none has come for so long.
    ///
    /// # Errors
    /// If there is no log, or it cannot be reached.
    pub fn new(backend: &'a dyn Backend, wait: Option<Duration>, json: bool) -> Result<Self, LogError> {
        let topics = backend.topics();
        let partitions = backend.partitions(&topics.commands)?;
        let waiting = match wait {
            Some(at_most) => Some((Waiting::open(backend)?, at_most)),
            None => None,
        };
        Ok(Self {
            partitions: partitions.ok_or_else(|| LogError::NoTopic(topics.commands.to_string()))?,
            publisher: backend.publisher()?,
            backend,
            sent: Sent::default(),
            waiting,
            report: Report::new(json),
            untaken: 0,
            moved: Instant::now(),
        })
    }

    /// Publishes everything that comes, and says how it went.
    ///
    /// # Errors
    /// If the input or the log fails, or outcomes are not answered in time.
    pub fn run(mut self, input: Receiver<Chunk>, stop: &Stop) -> anyhow::Result<Exit> {
        let worked = self.work(input, stop);
        for unanswered in self.waiting.iter_mut().flat_map(|(waiting, _)| waiting.give_up()) {
            self.report.receipt(&unanswered)?;
        }
        self.report.summary(self.waiting.is_some())?;
        worked?;
        let tally = self.report.tally;
        anyhow::ensure!(tally.failed == 0, "the log did not take {} commands", tally.failed);
        Ok(Exit::differs_if(stop.is_set() || tally.bad + tally.rejected + tally.invalid > 0))
    }

    fn work(&mut self, input: Receiver<Chunk>, stop: &Stop) -> anyhow::Result<()> {
        let mut input = Some(input);
        let mut failed = None;
        loop {
            let chunk = match &input {
                Some(chunks) if !stop.is_set() && self.has_room() => {
                    let patience = if self.has_open_ends() { SOON } else { IDLE };
                    match chunks.recv_timeout(patience) {
                        Ok(chunk) => Some(chunk),
                        Err(RecvTimeoutError::Timeout) => None,
                        Err(RecvTimeoutError::Disconnected) => {
                            input = None;
                            continue;
                        }
                    }
                }
                _ => None,
            };
            match chunk {
                Some(chunk) => {
                    failed = chunk.failed;
                    self.send(chunk.items)?;
                }
                None => self.catch_up()?,
            }
            let is_over = input.is_none() || stop.is_set();
            if is_over && self.sent.row.is_empty() && (self.unanswered() == 0 || stop.is_set()) {
                return failed.map_or(Ok(()), |error| Err(anyhow::Error::from(error).context("reading the lines")));
            }
            self.check_patience()?;
        }
    }

    fn send(&mut self, items: Vec<Item>) -> anyhow::Result<()> {
        for item in items {
            match item {
                Item::Bad(line, problem) => self.report.bad(line, &problem),
                Item::Good(Good { line, id, key, value }) => {
                    let partition = partition_of(key.as_bytes(), self.partitions);
                    let tag = self.sent.push(line, id);
                    let topic = &self.backend.topics().commands;
                    self.publisher.send(tag, topic, partition, key.as_bytes(), &value)?;
                    self.untaken += 1;
                }
            }
        }
        if self.untaken >= RECEIPTS_COMMANDS {
            self.take_receipts(Duration::ZERO)?;
            self.read_outcomes(Duration::ZERO)?;
        }
        Ok(())
    }

    /// There is nothing to send just now.
    fn catch_up(&mut self) -> anyhow::Result<()> {
        if !self.sent.row.is_empty() {
            self.take_receipts(SOON)?;
        }
        if self.unanswered() > 0 {
            self.read_outcomes(if self.sent.row.is_empty() { IDLE } else { Duration::ZERO })?;
        }
        Ok(self.report.flush()?)
    }

    fn take_receipts(&mut self, wait: Duration) -> anyhow::Result<()> {
        self.untaken = 0;
        for Receipt { tag, result } in self.publisher.receipts(wait)? {
            let Some((line, id)) = self.sent.take(tag) else { continue };
            self.moved = Instant::now();
            match result {
                Err(reason) => self.report.failed(line, &id, &reason),
                Ok((partition, offset)) => {
                    self.report.tally.published += 1;
                    let placed = Placed { line, id, partition, offset };
                    match &mut self.waiting {
                        Some((waiting, _)) => waiting.placed(placed),
                        None => self.report.receipt(&placed)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn read_outcomes(&mut self, wait: Duration) -> anyhow::Result<()> {
        let Some((waiting, _)) = &mut self.waiting else { return Ok(()) };
        waiting.read(wait, self.sent.row.is_empty())?;
        for (placed, verdict) in waiting.answered() {
            self.moved = Instant::now();
            self.report.outcome(&placed, verdict.as_ref())?;
        }
        Ok(())
    }

    fn check_patience(&self) -> anyhow::Result<()> {
        let Some((waiting, at_most)) = &self.waiting else { return Ok(()) };
        let unanswered = waiting.unanswered();
        anyhow::ensure!(
            unanswered == 0 || self.moved.elapsed() < *at_most,
            "NOT_ANSWERED: {unanswered} commands are in the log, but nothing was said of them for {} s. A projector \
             must run: `partyline project`, or `partyline up`",
            at_most.as_secs()
        );
        Ok(())
    }

    fn unanswered(&self) -> usize {
        self.waiting.as_ref().map_or(0, |(waiting, _)| waiting.unanswered())
    }

    fn has_open_ends(&self) -> bool {
        !self.sent.row.is_empty() || self.unanswered() > 0
    }

    fn has_room(&self) -> bool {
        self.sent.row.len() + self.unanswered() < WAITING_COMMANDS_MAX
    }
}

impl Sent {
    fn push(&mut self, line: u64, id: Box<str>) -> u64 {
        self.row.push_back(Some((line, id)));
        self.first + self.row.len() as u64 - 1
    }

    fn take(&mut self, tag: u64) -> Option<(u64, Box<str>)> {
        let at = usize::try_from(tag.checked_sub(self.first)?).ok()?;
        let taken = self.row.get_mut(at)?.take();
        while let Some(None) = self.row.front() {
            self.row.pop_front();
            self.first += 1;
        }
        taken
    }
}
