//! Warnings: an agent is told, never blocked.

use crate::{
    Agent, ChannelId, Customer, Held, Memory, Row, ServiceIx, ServiceSet, WarningKind, WarningRow, apply::Step,
};

/// How many warnings of a conversation are kept.
const SLOTS: u64 = 32;

/// What a warning says.
pub(super) struct Warning<'a> {
    pub kind: WarningKind,
    pub by: (ServiceIx, &'a Agent),
    pub holder: Option<&'a Held>,
    pub seq: u64,
    pub latest_seq: u64,
}

impl<M: Memory> Step<'_, M> {
    /// Publishes a warning to the services named in it, once each.
    pub(super) fn warn(&mut self, id: &ChannelId, customer: &Customer, warning: &Warning<'_>) -> Result<(), M::Error> {
        let named =
            |ix: ServiceIx, agent: &Agent| self.number.member(ix).map(|member| (member.service.clone(), agent.clone()));
        let Some(by) = named(warning.by.0, warning.by.1) else { return Ok(()) };
        let holder = warning.holder.and_then(|held| named(held.service, &held.agent));
        let conversation = self.conversation(id, customer)?;
        let slot = u8::try_from(conversation.warnings % SLOTS).unwrap_or_default();
        conversation.warnings += 1;
        let to: ServiceSet =
            [Some(warning.by.0), warning.holder.map(|held| held.service)].into_iter().flatten().collect();
        let row = WarningRow {
            channel: id.clone(),
            customer: customer.clone(),
            slot,
            kind: warning.kind,
            by,
            holder,
            seq: warning.seq,
            latest_seq: warning.latest_seq,
            at_ms: self.at.time_ms,
        };
        self.publish(to, Row::Warning(row));
        Ok(())
    }
}
