//! Commands, already decoded and within every bound (contract: Commands).

use std::sync::Arc;

use crate::{Agent, BusinessNumber, CommandId, Customer, Service, Visibility};

/// One command of a business number.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Chosen by the producer.
    pub id: CommandId,
    /// The hash of what [`Action::known_by`] says.
    pub known_as: IdHash,
    /// The number that it concerns.
    pub number: BusinessNumber,
    /// The producer's clock, for people only; no rule reads it.
    pub issued_at_ms: i64,
    /// What is to happen.
    pub action: Action,
}

/// The 128-bit hash by which a command is remembered (contract: Idempotency).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdHash(pub u128);

/// The two kinds of ids, which are kept apart (contract: Idempotency).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// Of messages.
    Message,
    /// Of any other commands.
    Other,
}

/// What a command is known by (contract: Idempotency).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy<'a> {
    /// A message: its `message_id`, or its `command_id` if that is empty.
    Message(&'a str),
    /// Any other: its service and `command_id` together.
    Other(&'a str, &'a str),
}

/// What is to happen.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Action {
    Subscribe(Subscribe),
    Unsubscribe { service: Service },
    Message(Message),
    Reply(Reply),
    Pickup(Pickup),
    Republish { service: Service },
}

/// A service connects to the number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Which service.
    pub service: Service,
    /// Its product; `None` means the service's own name.
    pub product: Option<Service>,
    /// Its licence.
    pub licence: Licence,
    /// How it shows the others' replies.
    pub display_others: Visibility,
    /// Whether the others may show its replies in full.
    pub share_own: Visibility,
}

/// The licence of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Licence {
    Bundle,
    Standalone,
    UpgradedPortal,
}

/// From the customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who wrote.
    pub customer: Customer,
    /// WhatsApp's id; may be empty.
    pub message_id: Arc<str>,
    /// WhatsApp's time.
    pub sent_at_ms: i64,
    /// What was written.
    pub content: Content,
    /// The id of the message that this one answers; may be empty.
    pub in_reply_to: Arc<str>,
}

/// To the customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Which service answers.
    pub service: Service,
    /// Who answers, and in which role.
    pub origin: Origin,
    /// Whom.
    pub customer: Customer,
    /// What is answered.
    pub content: Content,
    /// The last entry that the agent had on screen; 0 means not said.
    pub seen_seq: u64,
    /// The id of the message that this one answers; may be empty.
    pub in_reply_to: Arc<str>,
}

/// Who wrote a reply: a person, or one of the four kinds of automation (whose agent may be missing).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Origin {
    Agent(Agent),
    Bot(Option<Agent>),
    AutoReply(Option<Agent>),
    Workflow(Option<Agent>),
    Notification(Option<Agent>),
}

/// An agent takes a conversation in hand, or lets it go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pickup {
    /// The agent's service.
    pub service: Service,
    /// Who.
    pub agent: Agent,
    /// The conversation's customer.
    pub customer: Customer,
    /// For how long, seconds, 1 to 86,400.
    pub hold_for_s: u32,
    /// Also from another agent.
    pub take_over: bool,
    /// Let go instead.
    pub release: bool,
}

/// What a message or reply says: its encoded form, which no rule looks into.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(pub Arc<[u8]>);

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

impl Action {
    /// The service that issued it; a message has none.
    pub fn service(&self) -> Option<&Service> {
        match self {
            Self::Subscribe(Subscribe { service, .. })
            | Self::Unsubscribe { service }
            | Self::Reply(Reply { service, .. })
            | Self::Pickup(Pickup { service, .. })
            | Self::Republish { service } => Some(service),
            Self::Message(_) => None,
        }
    }

    /// The customer whose conversation it is about, if it is about one.
    pub fn customer(&self) -> Option<&Customer> {
        match self {
            Self::Message(Message { customer, .. })
            | Self::Reply(Reply { customer, .. })
            | Self::Pickup(Pickup { customer, .. }) => Some(customer),
            Self::Subscribe(_) | Self::Unsubscribe { .. } | Self::Republish { .. } => None,
        }
    }

    /// Of which kind its command's id is.
    pub fn id_kind(&self) -> IdKind {
        match self {
            Self::Message(_) => IdKind::Message,
            _ => IdKind::Other,
        }
    }

    /// What a command with this action and id is known by (contract: Idempotency).
    pub fn known_by<'a>(&'a self, id: &'a CommandId) -> KnownBy<'a> {
        match self {
            Self::Message(message) if message.message_id.is_empty() => KnownBy::Message(id.as_str()),
            Self::Message(message) => KnownBy::Message(&message.message_id),
            other => KnownBy::Other(other.service().map_or("", Service::as_str), id.as_str()),
        }
    }
}

impl Origin {
    /// The person named, if one is.
    pub fn agent(&self) -> Option<&Agent> {
        match self {
            Self::Agent(agent) => Some(agent),
            Self::Bot(agent) | Self::AutoReply(agent) | Self::Workflow(agent) | Self::Notification(agent) => {
                agent.as_ref()
            }
        }
    }

    /// Whether it is one of the four that only the parent may use.
    pub fn is_automation(&self) -> bool {
        !matches!(self, Self::Agent(_))
    }

    /// Whether it must be silent while an agent has the conversation in hand.
    pub fn yields_to_pickup(&self) -> bool {
        matches!(self, Self::Bot(_) | Self::AutoReply(_))
    }
}
