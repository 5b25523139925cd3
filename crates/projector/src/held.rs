//! A partition that this projector holds, and where it is in its life: caught up first, then running, sometimes
//! telling a long history.

use partyline_ledger::{BusinessNumber, Retelling};
use partyline_log::{Offset, Reader};

use crate::{outbox::Telling, state::PartitionState};

/// A partition and its state.
pub(crate) struct Held {
    pub state: PartitionState,
    pub phase: Phase,
    /// Rows that were published of the command at the group's position.
    pub skip: u64,
    /// When the last checkpoint was taken.
    pub checkpointed: std::time::Instant,
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
    /// Whether its state is exactly that of a position between two commands.
    pub fn is_between_commands(&self) -> bool {
        !matches!(self.phase, Phase::Retelling(_))
    }
}
