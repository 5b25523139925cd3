//! Rows that may be millions: history for a service that joins, entries under a changed setting, pickups that end.
//! Taken in bounded chunks, always the same ones in the same order.

use std::collections::VecDeque;

use crate::{
    Addressed, BusinessNumber, Channel, Memory, Number, Row, ServiceIx, ServiceSet, apply::conversation_row, masking,
};

/// What is still to be told.
#[derive(Debug, Clone, Default)]
pub struct Retelling {
    parts: VecDeque<Part>,
}

/// One walk along a list of a channel, from `next` and below `until`.
#[derive(Debug, Clone)]
struct Part {
    channel: Channel,
    what: What,
    next: u64,
    until: u64,
}

#[derive(Debug, Clone)]
enum What {
    /// Every conversation's row, to one service.
    Conversations { to: ServiceIx },
    /// Entries (all, or one author's), masked for each of the audience.
    Entries { to: ServiceSet, author: Option<ServiceIx> },
    /// The pickups that this service's agents hold live end; everyone in the channel is told.
    EndPickups { of: ServiceIx, now_ms: i64 },
}

impl Retelling {
    /// Whether nothing is left to tell.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Leaves out everything that only publishes: what is to be done where the rows are out already.
    pub fn keep_changes(&mut self) {
        self.parts.retain(|part| matches!(part.what, What::EndPickups { .. }));
    }

    /// Leaves out everything that neither changes anything nor concerns this service.
    pub fn keep_for(&mut self, service: ServiceIx) {
        self.parts.retain(|part| match part.what {
            What::EndPickups { .. } => true,
            What::Conversations { to } => to == service,
            What::Entries { to, .. } => to.contains(service),
        });
    }

    pub(crate) fn conversations(&mut self, channel: Channel, to: ServiceIx, number: &Number) {
        self.add(channel, What::Conversations { to }, number.lengths(channel).conversations);
    }

    pub(crate) fn entries(&mut self, channel: Channel, to: ServiceSet, author: Option<ServiceIx>, number: &Number) {
        if !to.is_empty() {
            self.add(channel, What::Entries { to, author }, number.lengths(channel).entries);
        }
    }

    pub(crate) fn end_pickups(&mut self, channel: Channel, of: ServiceIx, number: &Number, now_ms: i64) {
        self.add(channel, What::EndPickups { of, now_ms }, number.lengths(channel).conversations);
    }

    fn add(&mut self, channel: Channel, what: What, until: u64) {
        if until > 0 {
            self.parts.push_back(Part { channel, what, next: 0, until });
        }
    }

    /// The rows of the next chunk, perhaps none; changes what the chunk says is changed. Call until
    /// [`Retelling::is_empty`].
    ///
    /// # Errors
    /// Those of `memory`.
    pub fn next<M: Memory>(
        &mut self,
        name: &BusinessNumber,
        number: &Number,
        memory: &mut M,
    ) -> Result<Vec<Addressed>, M::Error> {
        let Some(part) = self.parts.front_mut() else { return Ok(Vec::new()) };
        let mut rows = Vec::new();
        let told = part.tell(name, number, memory, &mut rows)?;
        part.next += told;
        if told == 0 || part.next >= part.until {
            self.parts.pop_front();
        }
        Ok(rows)
    }
}

impl Part {
    /// Tells one chunk; returns how many of the list it took.
    fn tell<M: Memory>(
        &self,
        name: &BusinessNumber,
        number: &Number,
        memory: &mut M,
        rows: &mut Vec<Addressed>,
    ) -> Result<u64, M::Error> {
        let id = self.channel.id(name, number);
        match &self.what {
            What::Entries { to, author } => {
                let entries = memory.entries(&id, self.next, self.until)?;
                for entry in &entries {
                    if author.is_none() || entry.author.as_ref().map(|by| by.service) == *author {
                        masking::entry_rows(number, &id, entry, *to, rows);
                    }
                }
                Ok(entries.len() as u64)
            }
            What::Conversations { to } => {
                let customers = memory.conversations(&id, self.next, self.until)?;
                for customer in &customers {
                    let row = conversation_row(number, memory.conversation(&id, customer)?, &id, customer);
                    rows.push(Addressed { to: (*to).into(), row: Row::Conversation(row) });
                }
                Ok(customers.len() as u64)
            }
            What::EndPickups { of, now_ms } => {
                let to = number.audience(self.channel);
                let customers = memory.conversations(&id, self.next, self.until)?;
                for customer in &customers {
                    let ends =
                        memory.conversation(&id, customer)?.live(*now_ms).is_some_and(|held| held.service == *of);
                    if !ends {
                        continue;
                    }
                    let conversation = memory.conversation_mut(&id, customer)?;
                    conversation.held = None;
                    if !to.is_empty() {
                        let row = conversation_row(number, conversation, &id, customer);
                        rows.push(Addressed { to, row: Row::Conversation(row) });
                    }
                }
                Ok(customers.len() as u64)
            }
        }
    }
}
