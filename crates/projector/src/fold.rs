//! Records, decoded and applied: what `project`, its rebuilds and `replay` have in common.

use partyline_ledger::{Addressed, Applied, At, BusinessNumber, Command, Number, Retelling, ServiceIx, apply};
use partyline_log::{Partition, Record};
use partyline_wire::{Invalid, Placed, decode_command};
use smallvec::SmallVec;

use crate::{
    WorkError,
    state::{PartitionState, StatePosition},
};

/// A valid command, and what it did: the rows that may be taken at once, and the rest.
pub(crate) struct Folded<'d> {
    pub command: &'d Command,
    pub applied: Applied,
}

/// A record, and the command that it is, if it is a valid one.
pub(crate) struct Decoded<'r> {
    pub record: Record<'r>,
    pub command: Result<Command, Invalid>,
}

/// So many commands are decoded together.
const COMMANDS_AHEAD: usize = 32;

/// Decodes some more records, until there are none, and has what is known of their conversations come from memory
/// together: one after the other each would wait for its own.
pub(crate) fn decode<'r, 's>(
    records: &mut impl Iterator<Item = Record<'r>>,
    partitions: u32,
    state: impl Fn(Partition) -> Option<&'s PartitionState>,
) -> Vec<Decoded<'r>> {
    let decode = |record: Record<'r>| {
        let placed = Placed { partition: record.partition, partitions };
        Decoded { record, command: decode_command(record.key, record.value, placed) }
    };
    let decoded: Vec<_> = records.take(COMMANDS_AHEAD).map(decode).collect();
    for some in decoded.chunk_by(|one, next| one.record.partition == next.record.partition) {
        if let Some(state) = some.first().and_then(|first| state(first.record.partition)) {
            state.memory.fetch(some.iter().filter_map(|one| one.command.as_ref().ok()));
        }
    }
    decoded
}

/// Applies what a record is; the position stays until everything that it brings is told. What is no valid command
/// changes nothing.
///
/// # Errors
/// Those of the store; then the state is of no use any more.
pub(crate) fn fold<'d>(
    state: &mut PartitionState,
    Decoded { record, command }: &'d Decoded<'_>,
) -> Result<Result<Folded<'d>, &'d Invalid>, WorkError> {
    state.since_checkpoint += 1;
    let command = match command {
        Ok(command) => command,
        Err(invalid) => return Ok(Err(invalid)),
    };
    let at = At { offset: record.offset, time_ms: record.at_ms };
    let number = state.numbers.write(command.number.as_bytes())?;
    let applied = apply(number, &mut state.memory, command, at)?;
    Ok(Ok(Folded { command, applied }))
}

/// Applies a record of which everything was published before.
pub(crate) fn fold_quietly(state: &mut PartitionState, decoded: &Decoded<'_>) -> Result<(), WorkError> {
    let Record { offset, at_ms, .. } = decoded.record;
    if let Ok(Folded { command, applied: Applied { retelling: Some(mut retelling), .. } }) = fold(state, decoded)? {
        retelling.keep_changes();
        while !retelling.is_empty() {
            retell(state, &command.number, &mut retelling, &mut |_, _| {})?;
        }
    }
    state.position = StatePosition { next_offset: offset + 1, at_ms };
    Ok(())
}

/// The next chunk of what a command has to retell, with the number that it is about.
pub(crate) fn retell(
    state: &mut PartitionState,
    name: &BusinessNumber,
    retelling: &mut Retelling,
    visit: &mut dyn FnMut(&Number, &[Addressed]),
) -> Result<(), WorkError> {
    let number = state.numbers.read(name.as_bytes())?;
    let rows = retelling.next(name, number, &mut state.memory)?;
    visit(number, &rows);
    Ok(())
}

/// The rows that each service has had of one command, so far.
#[derive(Default)]
pub(crate) struct Indexes(SmallVec<[u32; 16]>);

impl Indexes {
    /// This row's place among the command's rows for the service.
    pub fn next(&mut self, ix: ServiceIx) -> u32 {
        let at = usize::from(ix.0);
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        let next = self.0[at];
        self.0[at] += 1;
        next
    }
}
