//! The commands that nearly all are, read in place: a message or a reply with a text, each field there at most once,
//! and nothing that this version does not know. Whatever is otherwise, or breaks a bound, is left to prost: it decides.

use std::str;

use partyline_ledger::{Action, BusinessNumber, Command, CommandId, Content, Customer, Message, Reply, Service};
use prost::encoding::{WireType, decode_key, decode_varint, encoded_len_varint};

use crate::{bounds, decode::hash};

/// The tag after those of a command's first three fields.
const FIRST_OTHER: usize = 4;
const MESSAGE: usize = 12;
const REPLY: usize = 13;

/// A field of a message.
#[derive(Clone, Copy, Default)]
enum Field<'a> {
    #[default]
    Absent,
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn number(self) -> Option<u64> {
        match self {
            Self::Absent => Some(0),
            Self::Number(number) => Some(number),
            Self::Bytes(_) => None,
        }
    }

    fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Absent => Some(&[]),
            Self::Number(_) => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }

    fn text(self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }
}

/// The fields of a message by their tags, all below `N`.
fn fields<const N: usize>(mut bytes: &[u8]) -> Option<[Field<'_>; N]> {
    let mut fields = [Field::Absent; N];
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes).ok()?;
        let field = match wire_type {
            WireType::Varint => Field::Number(decode_varint(&mut bytes).ok()?),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Field::Bytes(value)
            }
            _ => return None,
        };
        match fields.get_mut(usize::try_from(tag).ok()?)? {
            empty @ Field::Absent => *empty = field,
            _ => return None,
        }
    }
    Some(fields)
}

/// A valid command of the usual form; `None` leaves open what it is.
pub(crate) fn command(value: &[u8]) -> Option<Command> {
    let [_, id, number, issued_at_ms, others @ ..] = fields::<16>(value)?;
    let mut there = others.into_iter().zip(FIRST_OTHER..).filter(|(field, _)| !matches!(field, Field::Absent));
    let action = match (there.next()?, there.next()) {
        ((action, MESSAGE), None) => message(action.bytes()?)?,
        ((action, REPLY), None) => reply(action.bytes()?)?,
        _ => return None,
    };
    let id = CommandId::from_bytes(id.bytes()?).ok()?;
    let number = BusinessNumber::from_bytes(number.bytes()?).ok()?;
    let known_as = hash(action.known_by(&id));
    Some(Command { id, known_as, number, issued_at_ms: issued_at_ms.number()?.cast_signed(), action })
}

fn message(bytes: &[u8]) -> Option<Action> {
    let [_, customer, message_id, sent_at_ms, text, in_reply_to] = fields::<6>(bytes)?;
    Some(Action::Message(Message {
        customer: Customer::from_bytes(customer.bytes()?).ok()?,
        message_id: bounds::id("", message_id.text()?).ok()?,
        sent_at_ms: sent_at_ms.number()?.cast_signed(),
        content: content(text.bytes()?)?,
        in_reply_to: bounds::id("", in_reply_to.text()?).ok()?,
    }))
}

fn reply(bytes: &[u8]) -> Option<Action> {
    let [_, service, agent, customer, origin, text, seen_seq, in_reply_to] = fields::<8>(bytes)?;
    Some(Action::Reply(Reply {
        service: Service::from_bytes(service.bytes()?).ok()?,
        origin: bounds::origin(origin.number()? as i32, agent.text()?).ok()?,
        customer: Customer::from_bytes(customer.bytes()?).ok()?,
        content: content(text.bytes()?)?,
        seen_seq: seen_seq.number()?,
        in_reply_to: bounds::id("", in_reply_to.text()?).ok()?,
    }))
}

/// A text, and encoded as we would.
fn content(bytes: &[u8]) -> Option<Content> {
    let [_, Field::Bytes(text)] = fields::<2>(bytes)? else { return None };
    bounds::text(str::from_utf8(text).ok()?).ok()?;
    let canonical = 1 + encoded_len_varint(text.len() as u64) + text.len();
    (bytes.len() == canonical).then(|| Content(bytes.into()))
}
