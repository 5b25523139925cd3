//! A record of the log becomes a command, or is found invalid (contract: Rules, 1).

use std::borrow::Cow;

use partyline_ledger::{
    Action, Agent, BusinessNumber, Command, CommandId, IdHash, KnownBy, Message, Pickup, Reply, Service, Subscribe,
    Visibility,
};
use prost::Message as _;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_128;

use crate::{bounds, partition_of, pb, quick};

/// How large an encoded command may be.
pub const MAX_COMMAND_BYTES: usize = 64 * 1024;

/// Why a record is not a valid command. Never quotes what a message says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct Invalid {
    /// Which field; `record` for the record as a whole.
    pub field: Cow<'static, str>,
    /// What is wrong with it.
    pub problem: String,
}

impl Invalid {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field: Cow::Borrowed(field), problem: problem.into() }
    }

    pub(crate) fn within(self, parent: &str) -> Self {
        let field = if self.field.is_empty() { parent.to_owned() } else { format!("{parent}.{}", self.field) };
        Self { field: Cow::Owned(field), problem: self.problem }
    }
}

/// Where a record was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// In which partition.
    pub partition: u32,
    /// Of how many.
    pub partitions: u32,
}

/// Decodes a record of the commands topic and checks every bound.
///
/// # Errors
/// [`Invalid`] if it cannot be decoded, breaks a bound, or lies in the wrong partition for its key.
pub fn decode_command(key: Option<&[u8]>, value: Option<&[u8]>, placed: Placed) -> Result<Command, Invalid> {
    let Some(value) = value else { return Err(Invalid::new("record", "has no value")) };
    let command = decode_value(value)?;
    let Some(key) = key else { return Err(Invalid::new("record", "has no key; it must be the business_number")) };
    if key != command.number.as_bytes() {
        return Err(Invalid::new("record", "has a key that is not its business_number"));
    }
    let right = partition_of(key, placed.partitions);
    if right != placed.partition {
        let problem = format!("lies in partition {}, its key belongs in {right} (murmur2)", placed.partition);
        return Err(Invalid::new("record", problem));
    }
    Ok(command)
}

/// Decodes a command alone, wherever it lies.
pub(crate) fn decode_value(value: &[u8]) -> Result<Command, Invalid> {
    if value.len() > MAX_COMMAND_BYTES {
        let problem = format!("must be at most {MAX_COMMAND_BYTES} bytes, has {}", value.len());
        return Err(Invalid::new("record", problem));
    }
    if let Some(command) = quick::command(value) {
        return Ok(command);
    }
    decode_any(value)
}

/// Decodes a command of whatever form.
pub(crate) fn decode_any(value: &[u8]) -> Result<Command, Invalid> {
    let message = pb::Command::decode(value).map_err(|error| undecodable(&error))?;
    let id = bounds::named("command_id", CommandId::new(&message.command_id))?;
    let number = bounds::named("business_number", BusinessNumber::new(&message.business_number))?;
    let Some(action) = message.action else {
        return Err(Invalid::new(
            "action",
            "must be exactly one of subscribe, unsubscribe, message, reply, pickup, republish",
        ));
    };
    let action = decode_action(action)?;
    let known_as = hash(action.known_by(&id));
    Ok(Command { id, known_as, number, issued_at_ms: message.issued_at_ms, action })
}

/// What protobuf says: names of fields, never what is in them.
fn undecodable(error: &prost::DecodeError) -> Invalid {
    let text = error.to_string();
    let text = text.strip_prefix("failed to decode Protobuf message: ").unwrap_or(&text);
    Invalid::new("record", format!("is not a partyline.v1.Command: {text}"))
}

fn decode_action(action: pb::command::Action) -> Result<Action, Invalid> {
    use pb::command::Action as Pb;
    Ok(match action {
        Pb::Subscribe(m) => Action::Subscribe(Subscribe {
            service: bounds::named("subscribe.service", Service::new(&m.service))?,
            product: bounds::product(&m.product)?,
            licence: bounds::licence(m.licence)?,
            display_others: bounds::visibility("subscribe.display_others", m.display_others, Visibility::Masked)?,
            share_own: bounds::visibility("subscribe.share_own", m.share_own, Visibility::Full)?,
        }),
        Pb::Unsubscribe(m) => {
            Action::Unsubscribe { service: bounds::named("unsubscribe.service", Service::new(&m.service))? }
        }
        Pb::Message(m) => Action::Message(Message {
            customer: bounds::customer("message.customer", &m.customer)?,
            message_id: bounds::id("message.message_id", &m.message_id)?,
            sent_at_ms: m.sent_at_ms,
            content: bounds::content("message.content", m.content)?,
            in_reply_to: bounds::id("message.in_reply_to", &m.in_reply_to)?,
        }),
        Pb::Reply(m) => Action::Reply(Reply {
            service: bounds::named("reply.service", Service::new(&m.service))?,
            origin: bounds::origin(m.origin, &m.agent)?,
            customer: bounds::customer("reply.customer", &m.customer)?,
            content: bounds::content("reply.content", m.content)?,
            seen_seq: m.seen_seq,
            in_reply_to: bounds::id("reply.in_reply_to", &m.in_reply_to)?,
        }),
        Pb::Pickup(m) => Action::Pickup(Pickup {
            service: bounds::named("pickup.service", Service::new(&m.service))?,
            agent: bounds::named("pickup.agent", Agent::new(&m.agent))?,
            customer: bounds::customer("pickup.customer", &m.customer)?,
            hold_for_s: bounds::hold_for_s(m.hold_for_s)?,
            take_over: m.take_over,
            release: m.release,
        }),
        Pb::Republish(m) => {
            Action::Republish { service: bounds::named("republish.service", Service::new(&m.service))? }
        }
    })
}

/// The hash under which a command is remembered: part of the generation, never to be changed.
pub(crate) fn hash(known_by: KnownBy<'_>) -> IdHash {
    IdHash(match known_by {
        KnownBy::Message(id) => xxh3_128(id.as_bytes()),
        KnownBy::Other(service, id) => {
            let mut both = SmallVec::<[u8; 128]>::new();
            [service, "/", id].iter().for_each(|part| both.extend_from_slice(part.as_bytes()));
            xxh3_128(&both)
        }
    })
}
