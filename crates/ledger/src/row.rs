//! Rows: what services see (contract: Views). Already masked: a row holds nothing that its audience must not read.

use std::sync::Arc;

use crate::{
    Agent, BusinessNumber, ChannelId, CommandId, Content, Customer, Origin, Reason, Service, ServiceIx, Visibility,
};

/// A row and the services that get it.
#[derive(Debug, Clone, PartialEq)]
pub struct Addressed {
    /// To whom.
    pub to: ServiceSet,
    /// What.
    pub row: Row,
}

/// One row of a view.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Row {
    Channel(ChannelRow),
    Conversation(ConversationRow),
    Entry(EntryRow),
    Warning(WarningRow),
    Rejection(RejectionRow),
}

/// A channel, as one service sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    /// Which channel.
    pub channel: ChannelId,
    /// Whether it belongs to one service alone.
    pub isolated: bool,
    /// Nothing to a service that left.
    pub membership: Option<Membership>,
}

/// What a subscriber learns of its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Who controls automation.
    pub parent: Option<Service>,
    /// All subscribers, in the order in which they joined.
    pub subscribers: Vec<Service>,
    /// The receiving service's own setting.
    pub display_others: Visibility,
    /// The receiving service's own setting.
    pub share_own: Visibility,
}

/// A conversation and who has it in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRow {
    /// Which channel.
    pub channel: ChannelId,
    /// With whom.
    pub customer: Customer,
    /// Who picked it up, if anyone; it may have run out.
    pub holder: Option<Holder>,
}

/// The holder of a pickup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The holder's service.
    pub service: Service,
    /// The holder.
    pub agent: Agent,
    /// Log time.
    pub since_ms: i64,
    /// Log time.
    pub until_ms: i64,
}

/// An entry of a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryRow {
    /// Which channel.
    pub channel: ChannelId,
    /// With whom.
    pub customer: Customer,
    /// Its place in the timeline.
    pub seq: u64,
    /// Nothing for the customer.
    pub author: Option<Author>,
    /// Nothing if it is masked for this audience.
    pub shown: Option<Shown>,
    /// The command's offset.
    pub offset: u64,
    /// Log time.
    pub at_ms: i64,
}

/// Who wrote a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The service.
    pub service: Service,
    /// Its agent, in its role.
    pub origin: Origin,
}

/// What a masked entry does not have.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// What was written.
    pub content: Content,
    /// WhatsApp's id; empty for a reply.
    pub message_id: Arc<str>,
    /// What it answers; may be empty.
    pub in_reply_to: Arc<str>,
    /// WhatsApp's time; 0 for a reply.
    pub sent_at_ms: i64,
    /// To the reply's author only.
    pub command_id: Option<CommandId>,
}

/// Something that an agent should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarningRow {
    /// Which channel.
    pub channel: ChannelId,
    /// Which conversation.
    pub customer: Customer,
    /// The conversation's warnings before this one, modulo 32.
    pub slot: u8,
    /// What happened.
    pub kind: WarningKind,
    /// Who did it.
    pub by: (Service, Agent),
    /// Who has, or had, the conversation in hand.
    pub holder: Option<(Service, Agent)>,
    /// The reply's number, or 0.
    pub seq: u64,
    /// The newest entry that the reply's agent did not write, or 0.
    pub latest_seq: u64,
    /// Log time.
    pub at_ms: i64,
}

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum WarningKind {
    AlreadyPickedUp,
    TakenOver,
    ReplyOverPickup,
    UnseenEntries,
}

/// A command that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectionRow {
    /// Of which number.
    pub number: BusinessNumber,
    /// The number's published rejections before this one, modulo 256.
    pub slot: u8,
    /// Which command.
    pub command_id: CommandId,
    /// Why.
    pub reason: Reason,
    /// Log time.
    pub at_ms: i64,
}

/// A set of a number's services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServiceSet([u64; 4]);

impl ServiceSet {
    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// Whether a service is in it.
    pub fn contains(&self, ix: ServiceIx) -> bool {
        self.0[usize::from(ix.0 >> 6)] & (1 << (ix.0 & 63)) != 0
    }

    /// Adds a service.
    pub fn insert(&mut self, ix: ServiceIx) {
        self.0[usize::from(ix.0 >> 6)] |= 1 << (ix.0 & 63);
    }

    /// The same without one service.
    #[must_use]
    pub fn without(mut self, ix: ServiceIx) -> Self {
        self.0[usize::from(ix.0 >> 6)] &= !(1 << (ix.0 & 63));
        self
    }

    /// The services, in the order of the number's members.
    pub fn iter(self) -> impl Iterator<Item = ServiceIx> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let (word, bits) = (0..).zip(&mut left).find(|(_, bits)| **bits != 0)?;
            let bit = bits.trailing_zeros() as u8;
            *bits &= *bits - 1;
            Some(ServiceIx(word * 64 + bit))
        })
    }
}

impl FromIterator<ServiceIx> for ServiceSet {
    fn from_iter<I: IntoIterator<Item = ServiceIx>>(services: I) -> Self {
        let mut set = Self::default();
        services.into_iter().for_each(|ix| set.insert(ix));
        set
    }
}

impl From<ServiceIx> for ServiceSet {
    fn from(ix: ServiceIx) -> Self {
        [ix].into_iter().collect()
    }
}
