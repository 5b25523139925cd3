//! A partition that this projector holds, and where it is in its life: caught up first, then running, sometimes
//! telling a long history.

use std::{collections::BTreeMap, time::Instant};

use partyline_ledger::{BusinessNumber, Retelling};
use partyline_log::{Offset, Partition, Reader};
use partyline_store::Database;

use crate::{Settings, outbox::Telling, state::PartitionState};

/// By time, the partitions have their checkpoints in so many turns at most.
const TURNS: usize = 4;

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
    /// Whether it has something to keep, and is not in the middle of a command: then it cannot be kept, however full.
    pub fn can_be_kept(&self) -> bool {
        !matches!(self.phase, Phase::Retelling(_)) && self.state.since_checkpoint > 0
    }
}

/// The partitions whose checkpoints are due: all that can be kept when a bound of memory or commands is reached, as far as
/// a database takes them together. By time it is a few after the others, evenly, so that there is never much to be kept at
/// once; while another checkpoint is `under_way` it is put off.
pub(crate) fn due(
    held: &BTreeMap<Partition, Held>,
    settings: &Settings,
    under_way: bool,
    now: Instant,
) -> Vec<Partition> {
    let mut due: Vec<_> = held.iter().filter(|(_, held)| held.can_be_kept()).collect();
    let dirty_bytes: usize = due.iter().map(|(_, held)| held.state.dirty_bytes()).sum();
    let commands: u64 = due.iter().map(|(_, held)| held.state.since_checkpoint).sum();
    if dirty_bytes < settings.dirty_bytes && commands < settings.checkpoint_commands {
        let turns = due.len().clamp(1, TURNS);
        let rested = held.values().map(|held| now.saturating_duration_since(held.checkpointed)).min();
        if under_way || rested.is_none_or(|rested| rested < settings.checkpoint_age / turns as u32) {
            return Vec::new();
        }
        due.sort_by_key(|(_, held)| held.checkpointed);
        due.truncate(due.len().div_ceil(turns));
    }
    due.truncate(Database::CHECKPOINT_STORES);
    due.into_iter().map(|(partition, _)| *partition).collect()
}

/// The states of these partitions, for their checkpoint. One in the middle of a command has none.
pub(crate) fn to_keep<'h>(
    held: &'h mut BTreeMap<Partition, Held>,
    partitions: &[Partition],
    now: Instant,
) -> Vec<&'h mut PartitionState> {
    let can_be_kept =
        |(partition, held): &(&Partition, &mut Held)| partitions.contains(partition) && held.can_be_kept();
    let kept = |(_, held): (_, &'h mut Held)| {
        held.checkpointed = now;
        &mut held.state
    };
    held.iter_mut().filter(can_be_kept).map(kept).collect()
}
