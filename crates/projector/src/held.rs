//! A partition that this projector holds, and where it is in its life: caught up first, then running, sometimes
//! telling a long history.

use std::{collections::BTreeMap, time::Instant};

use partyline_ledger::{BusinessNumber, Retelling};
use partyline_log::{Offset, Partition, Reader};

use crate::{Settings, outbox::Telling, state::PartitionState};

/// A partition and its state.
pub(crate) struct Held {
    pub state: PartitionState,
    pub phase: Phase,
    /// Rows that were published of the command at the group's position.
    pub skip: u64,
    /// When the last checkpoint was taken.
    pub checkpointed: Instant,
}

/// What a partition is at.
pub(crate) enum Phase {
    /// Folding what is committed already, publishing nothing, through a reader of its own.
    CatchingUp { reader: Box<dyn Reader>, until: Offset },
    /// Taking commands.
    Running,
    /// In the middle of a command that has much to tell; its partition waits, the others go on.
    Retelling(Box<Pending>),
}

/// A command in the middle of its telling.
pub(crate) struct Pending {
    pub name: BusinessNumber,
    pub retelling: Retelling,
    pub telling: Telling,
}

impl Held {
    /// Whether there is something to keep, and its state is exactly that of a position between two commands.
    pub fn has_changes(&self) -> bool {
        !matches!(self.phase, Phase::Retelling(_)) && self.state.since_checkpoint > 0
    }
}

/// The partitions whose checkpoints are due: all that have changes when a bound of memory or commands is reached; by
/// time one after the other, evenly, because nothing else is done meanwhile.
pub(crate) fn due(held: &BTreeMap<Partition, Held>, settings: &Settings, now: Instant) -> Vec<Partition> {
    let changed = || held.iter().filter(|(_, held)| held.has_changes());
    let dirty_bytes: usize = changed().map(|(_, held)| held.state.dirty_bytes()).sum();
    let commands: u64 = changed().map(|(_, held)| held.state.since_checkpoint).sum();
    if dirty_bytes >= settings.dirty_bytes || commands >= settings.checkpoint_commands {
        return changed().map(|(partition, _)| *partition).collect();
    }
    let turn = settings.checkpoint_age / (changed().count() as u32).max(1);
    let last = held.values().map(|held| held.checkpointed).max();
    let is_time = last.is_some_and(|last| now.saturating_duration_since(last) >= turn);
    let oldest = changed().min_by_key(|(_, held)| held.checkpointed).filter(|_| is_time);
    oldest.map(|(partition, _)| *partition).into_iter().collect()
}
