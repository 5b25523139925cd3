//! One step: a command, judged by what was known before it.

use crate::{
    Action, Addressed, BusinessNumber, Channel, ChannelId, Command, CommandId, Conversation, ConversationRow, Customer,
    Entry, Held, Holder, IdHash, IdKind, Memory, Number, RejectionRow, Retelling, Row, ServiceIx, ServiceSet, masking,
    rules,
};

/// Most commands bring no more rows than this.
const ROWS: usize = 4;

/// Where and when the log took a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Its offset.
    pub offset: u64,
    /// Log time, milliseconds since 1970: the only clock the rules know. It may go back.
    pub time_ms: i64,
}

/// What a command did.
#[derive(Debug)]
pub struct Applied {
    /// Whether it was accepted.
    pub outcome: Outcome,
    /// The rows that it brought, in order.
    pub rows: Vec<Addressed>,
    /// Rows that follow, if many may: taken in bounded chunks, before the next command of the number.
    pub retelling: Option<Retelling>,
}

/// Whether a command was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Accepted,
    /// Its id was seen before: nothing changed.
    Duplicate,
    /// A rule forbids it.
    Rejected {
        /// Which.
        reason: Reason,
        /// No service can be told: it belongs among the dead letters.
        dead_letter: bool,
    },
}

/// Why a command was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The service is not subscribed to the number.
    #[error("NOT_SUBSCRIBED")]
    NotSubscribed,
    /// Automation by a service that is not the channel's parent.
    #[error("NOT_PARENT")]
    NotParent,
    /// A bot or auto-reply while an agent has the conversation in hand.
    #[error("PICKED_UP")]
    PickedUp,
    /// A release by somebody who does not hold the conversation.
    #[error("NOT_HOLDER")]
    NotHolder,
    /// A message to a number without any service.
    #[error("DISCONNECTED")]
    Disconnected,
    /// The number has had as many services as it ever may.
    #[error("TOO_MANY_SERVICES")]
    TooManyServices,
}

/// How a rule ended early.
pub(crate) enum Stop {
    Duplicate,
    Rejected(Reason),
}

/// A rule's own verdict, inside what can fail in the memory.
pub(crate) type Verdict = Result<(), Stop>;

/// Applies one command to the state of its number.
///
/// What it returns depends on its arguments alone. `number` must be the state of `command.number`.
///
/// # Errors
/// Only those of `memory`; then neither the number nor the memory is of use any more.
pub fn apply<M: Memory>(number: &mut Number, memory: &mut M, command: &Command, at: At) -> Result<Applied, M::Error> {
    let name = &command.number;
    let mut step = Step {
        number,
        memory,
        name,
        id: &command.id,
        known_as: command.known_as,
        at,
        rows: Vec::with_capacity(ROWS),
        retelling: None,
    };
    let verdict = match &command.action {
        Action::Subscribe(subscribe) => rules::subscribe(&mut step, subscribe)?,
        Action::Unsubscribe { service } => rules::unsubscribe(&mut step, service)?,
        Action::Message(message) => rules::message(&mut step, message)?,
        Action::Reply(reply) => rules::reply(&mut step, reply)?,
        Action::Pickup(pickup) => rules::pickup(&mut step, pickup)?,
        Action::Republish { service } => rules::republish(&mut step, service)?,
    };
    let outcome = match verdict {
        Ok(()) => Outcome::Accepted,
        Err(Stop::Duplicate) => Outcome::Duplicate,
        Err(Stop::Rejected(reason)) => step.reject(&command.action, reason),
    };
    Ok(Applied { outcome, rows: step.rows, retelling: step.retelling.filter(|retelling| !retelling.is_empty()) })
}

/// What the rules work on.
pub(crate) struct Step<'a, M> {
    pub number: &'a mut Number,
    pub memory: &'a mut M,
    pub name: &'a BusinessNumber,
    pub id: &'a CommandId,
    pub known_as: IdHash,
    pub at: At,
    pub rows: Vec<Addressed>,
    pub retelling: Option<Retelling>,
}

impl<M: Memory> Step<'_, M> {
    pub fn publish(&mut self, to: impl Into<ServiceSet>, row: Row) {
        let to = to.into();
        if !to.is_empty() {
            self.rows.push(Addressed { to, row });
        }
    }

    /// Idempotency of the commands whose scope is the number. That scope exists from the first subscription on.
    pub fn first_time(&mut self, subscribes: bool) -> Verdict {
        if self.number.seen.contains(self.known_as) {
            return Err(Stop::Duplicate);
        }
        if subscribes || !self.number.members.is_empty() {
            self.number.seen.remember(self.known_as);
        }
        Ok(())
    }

    pub fn conversation(&mut self, channel: &ChannelId, customer: &Customer) -> Result<&mut Conversation, M::Error> {
        self.memory.conversation_mut(channel, customer)
    }

    /// Idempotency of the others: whether the command's id, which a conversation may contain, is among its last ones.
    pub fn is_known(&mut self, channel: &ChannelId, customer: &Customer, kind: IdKind) -> Result<bool, M::Error> {
        if self.memory.conversation(channel, customer)?.ids(kind).is_fresh(self.known_as) {
            return Ok(true);
        }
        let kept = self.memory.kept_ids(channel, customer, kind)?;
        Ok(self.memory.conversation(channel, customer)?.ids(kind).is_kept(self.known_as, &kept))
    }

    /// Adds a conversation that was just opened to those of its channel, and its row.
    pub fn opened(&mut self, channel: Channel, id: &ChannelId, customer: &Customer) -> Result<(), M::Error> {
        if let Some(lengths) = self.number.lengths_mut(channel) {
            self.memory.append_conversation(id, lengths.conversations, customer)?;
            lengths.conversations += 1;
        }
        self.publish_conversation(channel, id, customer)
    }

    /// Sets or ends the pickup of a conversation, and publishes its row.
    pub fn hold(
        &mut self,
        channel: Channel,
        id: &ChannelId,
        customer: &Customer,
        held: Option<Held>,
    ) -> Result<(), M::Error> {
        self.conversation(id, customer)?.held = held;
        self.publish_conversation(channel, id, customer)
    }

    fn publish_conversation(&mut self, channel: Channel, id: &ChannelId, customer: &Customer) -> Result<(), M::Error> {
        let row = conversation_row(self.number, self.memory.conversation(id, customer)?, id, customer);
        self.publish(self.number.audience(channel), Row::Conversation(row));
        Ok(())
    }

    /// Appends an entry to the timeline, and its rows. The conversation knows of it already.
    pub fn append(&mut self, channel: Channel, id: &ChannelId, entry: &Entry) -> Result<(), M::Error> {
        if let Some(lengths) = self.number.lengths_mut(channel) {
            self.memory.append_entry(id, lengths.entries, entry)?;
            lengths.entries += 1;
        }
        let audience = self.number.audience(channel);
        masking::entry_rows(self.number, id, entry, audience, &mut self.rows);
        Ok(())
    }

    /// A rejection goes to the service that issued the command, if it ever subscribed.
    fn reject(&mut self, action: &Action, reason: Reason) -> Outcome {
        let issuer = action.service().and_then(|service| self.number.find(service)).map(|(ix, _)| ix);
        if let Some(ix) = issuer {
            let row = RejectionRow {
                number: self.name.clone(),
                slot: u8::try_from(self.number.rejections % 256).unwrap_or_default(),
                command_id: self.id.clone(),
                reason,
                at_ms: self.at.time_ms,
            };
            self.number.rejections += 1;
            self.publish(ix, Row::Rejection(row));
        }
        Outcome::Rejected { reason, dead_letter: issuer.is_none() }
    }
}

pub(crate) fn conversation_row(
    number: &Number,
    conversation: &Conversation,
    channel: &ChannelId,
    customer: &Customer,
) -> ConversationRow {
    let name = |ix: ServiceIx| number.member(ix).map(|member| member.service.clone());
    ConversationRow {
        channel: channel.clone(),
        customer: customer.clone(),
        holder: conversation.held.as_ref().and_then(|held| {
            name(held.service).map(|service| Holder {
                service,
                agent: held.agent.clone(),
                since_ms: held.since_ms,
                until_ms: held.until_ms,
            })
        }),
    }
}
