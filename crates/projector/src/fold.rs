//! One record, decoded and applied: what `project`, its rebuilds and `replay` have in common.

use partyline_ledger::{Addressed, Applied, At, BusinessNumber, Command, Number, Retelling, ServiceIx, apply};
use partyline_log::Record;
use partyline_wire::{Invalid, Placed, decode_command};
use smallvec::SmallVec;

use crate::{WorkError, state::PartitionState};

/// A valid command, and what it did: the rows that may be taken at once, and the rest.
pub(crate) struct Folded {
    pub command: Command,
    pub applied: Applied,
}

/// Decodes and applies one record; the position stays until everything that it brings is told. What is no valid command
/// changes nothing.
///
/// # Errors
/// Those of the store; then the state is of no use any more.
pub(crate) fn fold(
    state: &mut PartitionState,
    record: Record<'_>,
    partitions: u32,
) -> Result<Result<Folded, Invalid>, WorkError> {
    state.since_checkpoint += 1;
    let placed = Placed { partition: record.partition, partitions };
    let command = match decode_command(record.key, record.value, placed) {
        Ok(command) => command,
        Err(invalid) => return Ok(Err(invalid)),
    };
    let at = At { offset: record.offset, time_ms: record.at_ms };
    let number = state.numbers.write(command.number.as_bytes())?;
    let applied = apply(number, &mut state.memory, &command, at)?;
    Ok(Ok(Folded { command, applied }))
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
