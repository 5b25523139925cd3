//! What the projector's store keeps of the ledger's state. Its own format, not a contract: a store is a cache, and its
//! identity holds [`FORMAT`].

use std::sync::Arc;

use partyline_ledger::{
    Agent, CommandId, Content, Conversation, Customer, Entry, EntryAuthor, Held, IdHash, IdKind, Lengths, Member,
    Number, Origin, Place, Service, ServiceIx, Visibility, Window, Writer,
};
use prost::Message;

use crate::{encode, put};

/// The version of these encodings, and of how the store keeps what they make.
pub const FORMAT: u32 = 3;

/// Bytes that a store kept and that are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored {0} cannot be read")]
pub struct Damaged(&'static str);

#[derive(Clone, PartialEq, Message)]
struct PbNumber {
    #[prost(message, repeated, tag = "1")]
    members: Vec<PbMember>,
    #[prost(bytes = "vec", tag = "2")]
    subscribers: Vec<u8>,
    #[prost(uint64, tag = "3")]
    conversations: u64,
    #[prost(uint64, tag = "4")]
    entries: u64,
    #[prost(bytes = "vec", tag = "5")]
    seen: Vec<u8>,
    #[prost(uint64, tag = "6")]
    rejections: u64,
}

#[derive(Clone, PartialEq, Message)]
struct PbMember {
    #[prost(string, tag = "1")]
    service: String,
    #[prost(bool, tag = "2")]
    displays_full: bool,
    #[prost(bool, tag = "3")]
    shares_full: bool,
    #[prost(uint32, tag = "4")]
    place: u32,
    #[prost(uint64, tag = "5")]
    conversations: u64,
    #[prost(uint64, tag = "6")]
    entries: u64,
}

/// What stands behind another of these adds to it, as protobuf has it: all ids count, and of the rest the last.
#[derive(Clone, PartialEq, Message)]
struct PbConversation {
    /// A [`PbLatest`].
    #[prost(bytes = "vec", tag = "1")]
    latest: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    messages: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    others: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct PbLatest {
    #[prost(uint64, tag = "1")]
    seq: u64,
    #[prost(uint64, tag = "2")]
    seq_of_others: u64,
    /// The writer's service, plus 1; 0 for the customer.
    #[prost(uint32, tag = "3")]
    writer: u32,
    #[prost(string, tag = "4")]
    writer_agent: String,
    #[prost(uint64, tag = "5")]
    warnings: u64,
    #[prost(message, optional, tag = "6")]
    held: Option<PbHeld>,
    #[prost(bool, tag = "7")]
    opened: bool,
}

#[derive(Clone, PartialEq, Message)]
struct PbHeld {
    #[prost(uint32, tag = "1")]
    service: u32,
    #[prost(string, tag = "2")]
    agent: String,
    #[prost(int64, tag = "3")]
    since_ms: i64,
    #[prost(int64, tag = "4")]
    until_ms: i64,
    #[prost(uint32, tag = "5")]
    hold_for_s: u32,
}

#[derive(Clone, PartialEq, Message)]
struct PbEntry {
    #[prost(string, tag = "1")]
    customer: String,
    #[prost(uint64, tag = "2")]
    seq: u64,
    /// The author's service, plus 1; 0 for the customer.
    #[prost(uint32, tag = "3")]
    author: u32,
    #[prost(uint32, tag = "4")]
    origin: u32,
    #[prost(string, tag = "5")]
    agent: String,
    #[prost(string, tag = "6")]
    command_id: String,
    #[prost(bytes = "vec", tag = "7")]
    content: Vec<u8>,
    #[prost(string, tag = "8")]
    message_id: String,
    #[prost(string, tag = "9")]
    in_reply_to: String,
    #[prost(int64, tag = "10")]
    sent_at_ms: i64,
    #[prost(uint64, tag = "11")]
    offset: u64,
    #[prost(int64, tag = "12")]
    at_ms: i64,
}

/// Appends the encoding of a number's state.
pub fn encode_number(number: &Number, buf: &mut Vec<u8>) {
    let members = number.members.iter().map(|member| PbMember {
        service: member.service.to_string(),
        displays_full: member.display_others == Visibility::Full,
        shares_full: member.share_own == Visibility::Full,
        place: match member.place {
            Place::Nowhere => 0,
            Place::Shared => 1,
            Place::Isolated => 2,
        },
        conversations: member.isolated.conversations,
        entries: member.isolated.entries,
    });
    let stored = PbNumber {
        members: members.collect(),
        subscribers: number.subscribers.iter().map(|ix| ix.0).collect(),
        conversations: number.shared.conversations,
        entries: number.shared.entries,
        seen: ids(number.seen.iter()),
        rejections: number.rejections,
    };
    buf.extend_from_slice(&stored.encode_to_vec());
}

/// Reads a number's state.
///
/// # Errors
/// [`Damaged`].
pub fn decode_number(bytes: &[u8]) -> Result<Number, Damaged> {
    const DAMAGED: Damaged = Damaged("number");
    let stored = PbNumber::decode(bytes).map_err(|_| DAMAGED)?;
    let visibility = |full| if full { Visibility::Full } else { Visibility::Masked };
    let members = stored.members.into_iter().map(|member| {
        Ok(Member {
            service: Service::new(&member.service).map_err(|_| DAMAGED)?,
            display_others: visibility(member.displays_full),
            share_own: visibility(member.shares_full),
            place: match member.place {
                0 => Place::Nowhere,
                1 => Place::Shared,
                2 => Place::Isolated,
                _ => return Err(DAMAGED),
            },
            isolated: Lengths { conversations: member.conversations, entries: member.entries },
        })
    });
    Ok(Number {
        members: members.collect::<Result<_, _>>()?,
        subscribers: stored.subscribers.into_iter().map(ServiceIx).collect(),
        shared: Lengths { conversations: stored.conversations, entries: stored.entries },
        seen: ids_in(&[stored.seen]).collect(),
        rejections: stored.rejections,
    })
}

/// Appends the encoding of a conversation's state, with the ids since [`Conversation::kept`]: to stand behind the
/// encodings from before.
pub fn encode_conversation(conversation: &Conversation, buf: &mut Vec<u8>) {
    put_latest(conversation, buf);
    put::text(buf, 2, &ids(conversation.messages.fresh()));
    put::text(buf, 3, &ids(conversation.others.fresh()));
}

fn put_latest(conversation: &Conversation, buf: &mut Vec<u8>) {
    let (writer, writer_agent) = match &conversation.writer {
        Writer::Customer => (0, &[][..]),
        Writer::Service(ix, agent) => (u64::from(ix.0) + 1, agent.as_ref().map_or(&[][..], Agent::as_bytes)),
    };
    put::message(buf, 1, |buf| {
        put::uint(buf, 1, conversation.seq);
        put::uint(buf, 2, conversation.seq_of_others);
        put::uint(buf, 3, writer);
        put::text(buf, 4, writer_agent);
        put::uint(buf, 5, conversation.warnings);
        if let Some(held) = &conversation.held {
            put::message(buf, 6, |buf| {
                put::uint(buf, 1, u64::from(held.service.0));
                put::text(buf, 2, held.agent.as_bytes());
                put::int(buf, 3, held.since_ms);
                put::int(buf, 4, held.until_ms);
                put::uint(buf, 5, u64::from(held.hold_for_s));
            });
        }
        put::bool(buf, 7, conversation.opened);
    });
}

/// Reads a conversation's state, from all encodings of it. Its ids count as kept.
///
/// # Errors
/// [`Damaged`].
pub fn decode_conversation(bytes: &[u8]) -> Result<Conversation, Damaged> {
    const DAMAGED: Damaged = Damaged("conversation");
    let stored = PbConversation::decode(bytes).map_err(|_| DAMAGED)?;
    let latest = PbLatest::decode(&*stored.latest).map_err(|_| DAMAGED)?;
    let held = latest.held.map(|held| {
        Ok(Held {
            service: ServiceIx(u8::try_from(held.service).map_err(|_| DAMAGED)?),
            agent: Agent::new(&held.agent).map_err(|_| DAMAGED)?,
            since_ms: held.since_ms,
            until_ms: held.until_ms,
            hold_for_s: held.hold_for_s,
        })
    });
    Ok(Conversation {
        opened: latest.opened,
        seq: latest.seq,
        writer: match latest.writer {
            0 => Writer::Customer,
            ix => Writer::Service(
                ServiceIx(u8::try_from(ix - 1).map_err(|_| DAMAGED)?),
                optional_agent(&latest.writer_agent).ok_or(DAMAGED)?,
            ),
        },
        seq_of_others: latest.seq_of_others,
        held: held.transpose()?,
        warnings: latest.warnings,
        messages: ids_in(&stored.messages).collect(),
        others: ids_in(&stored.others).collect(),
    })
}

/// The ids of one kind in all encodings of a conversation, oldest first.
///
/// # Errors
/// [`Damaged`].
pub fn kept_ids(bytes: &[u8], kind: IdKind) -> Result<Vec<IdHash>, Damaged> {
    let stored = PbConversation::decode(bytes).map_err(|_| Damaged("conversation"))?;
    Ok(match kind {
        IdKind::Message => ids_in(&stored.messages).collect(),
        IdKind::Other => ids_in(&stored.others).collect(),
    })
}

/// Makes one encoding of several of a conversation that stand behind each other, without what no longer counts.
///
/// # Errors
/// [`Damaged`].
pub fn join_conversation(bytes: &[u8]) -> Result<Vec<u8>, Damaged> {
    let stored = PbConversation::decode(bytes).map_err(|_| Damaged("conversation"))?;
    let last = |pieces: &[Vec<u8>]| ids(ids_in(pieces).collect::<Window>().iter());
    let mut joined = Vec::with_capacity(bytes.len());
    put::text(&mut joined, 1, &stored.latest);
    put::text(&mut joined, 2, &last(&stored.messages));
    put::text(&mut joined, 3, &last(&stored.others));
    Ok(joined)
}

/// Appends the encoding of an entry.
pub fn encode_entry(entry: &Entry, buf: &mut Vec<u8>) {
    put::text(buf, 1, entry.customer.as_bytes());
    put::uint(buf, 2, entry.seq);
    if let Some(author) = &entry.author {
        put::uint(buf, 3, u64::from(author.service.0) + 1);
        put::uint(buf, 4, encode::origin(&author.origin));
        put::text(buf, 5, author.origin.agent().map_or(&[][..], Agent::as_bytes));
        put::text(buf, 6, author.command_id.as_bytes());
    }
    put::bytes(buf, 7, &entry.content.0);
    put::text(buf, 8, entry.message_id.as_bytes());
    put::text(buf, 9, entry.in_reply_to.as_bytes());
    put::int(buf, 10, entry.sent_at_ms);
    put::uint(buf, 11, entry.offset);
    put::int(buf, 12, entry.at_ms);
}

/// Reads an entry.
///
/// # Errors
/// [`Damaged`].
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, Damaged> {
    const DAMAGED: Damaged = Damaged("entry");
    let stored = PbEntry::decode(bytes).map_err(|_| DAMAGED)?;
    let author = match stored.author {
        0 => None,
        ix => {
            let agent = optional_agent(&stored.agent).ok_or(DAMAGED)?;
            Some(EntryAuthor {
                service: ServiceIx(u8::try_from(ix - 1).map_err(|_| DAMAGED)?),
                origin: match stored.origin {
                    1 => Origin::Agent(agent.ok_or(DAMAGED)?),
                    2 => Origin::Bot(agent),
                    3 => Origin::AutoReply(agent),
                    4 => Origin::Workflow(agent),
                    5 => Origin::Notification(agent),
                    _ => return Err(DAMAGED),
                },
                command_id: CommandId::new(&stored.command_id).map_err(|_| DAMAGED)?,
            })
        }
    };
    Ok(Entry {
        customer: Customer::new(&stored.customer).map_err(|_| DAMAGED)?,
        seq: stored.seq,
        author,
        content: Content(Arc::from(stored.content)),
        message_id: Arc::from(stored.message_id),
        in_reply_to: Arc::from(stored.in_reply_to),
        sent_at_ms: stored.sent_at_ms,
        offset: stored.offset,
        at_ms: stored.at_ms,
    })
}

/// No agent, or a valid one; `None` if it is neither.
fn optional_agent(text: &str) -> Option<Option<Agent>> {
    if text.is_empty() { Some(None) } else { Agent::new(text).ok().map(Some) }
}

fn ids(ids: impl Iterator<Item = IdHash>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ids.size_hint().0 * size_of::<u128>());
    ids.for_each(|id| bytes.extend_from_slice(&id.0.to_le_bytes()));
    bytes
}

fn ids_in(pieces: &[Vec<u8>]) -> impl Iterator<Item = IdHash> + '_ {
    let ids = pieces.iter().flat_map(|piece| piece.as_chunks::<16>().0);
    ids.map(|id| IdHash(u128::from_le_bytes(*id)))
}
