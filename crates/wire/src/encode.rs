//! A row becomes a record of a view topic: its key and its value (contract: Views).

use std::io::Write as _;

use partyline_ledger::{
    Agent, Author, ChannelRow, ConversationRow, EntryRow, Origin, Reason, RejectionRow, Row, Service, Visibility,
    WarningKind, WarningRow,
};
use prost::Message as _;

use crate::{pb, put};

/// What caused a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// The command's partition: the record's own.
    pub partition: u32,
    /// The command's offset.
    pub offset: u64,
    /// The row's place among that command's rows for that service, from 0.
    pub index: u32,
}

/// How fresh a view topic is (contract: position rows). Not part of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionRow {
    /// Of which log partition.
    pub partition: u32,
    /// This service's rows for every command below are in the topic.
    pub next_offset: u64,
    /// Log time of the last command below.
    pub at_ms: i64,
}

/// Appends the key of a row.
pub fn row_key(buf: &mut Vec<u8>, row: &Row) {
    // Writing to a Vec cannot fail.
    let _ = match row {
        Row::Channel(row) => write!(buf, "channel/{}", row.channel),
        Row::Conversation(row) => write!(buf, "conversation/{}/{}", row.channel, row.customer),
        Row::Entry(row) => {
            buf.extend_from_slice(b"entry/");
            buf.extend_from_slice(row.channel.as_bytes());
            buf.push(b'/');
            buf.extend_from_slice(row.customer.as_bytes());
            buf.push(b'/');
            buf.extend_from_slice(&twenty_digits(row.seq));
            Ok(())
        }
        Row::Warning(row) => write!(buf, "warning/{}/{}/{}", row.channel, row.customer, row.slot),
        Row::Rejection(row) => write!(buf, "rejection/{}/{}", row.number, row.slot),
    };
}

fn twenty_digits(mut number: u64) -> [u8; 20] {
    let mut digits = [b'0'; 20];
    for digit in digits.iter_mut().rev() {
        // Most numbers have few: the rest is there already.
        if number == 0 {
            break;
        }
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

/// Appends the value of a row: an encoded `partyline.v1.ViewRow`.
pub fn encode_row(buf: &mut Vec<u8>, row: &Row, cause: Cause) {
    put::message(buf, 1, |buf| {
        put::uint(buf, 1, cause.offset);
        put::uint(buf, 2, u64::from(cause.index));
    });
    match row {
        Row::Channel(row) => put::message(buf, 2, |buf| channel(buf, row)),
        Row::Conversation(row) => put::message(buf, 3, |buf| conversation(buf, row)),
        Row::Entry(row) => put::message(buf, 4, |buf| entry(buf, row, cause.partition)),
        Row::Warning(row) => put::message(buf, 5, |buf| warning(buf, row)),
        Row::Rejection(row) => put::message(buf, 6, |buf| rejection(buf, row)),
    }
}

fn channel(buf: &mut Vec<u8>, row: &ChannelRow) {
    put::text(buf, 1, row.channel.as_bytes());
    put::bool(buf, 2, row.isolated);
    let Some(membership) = &row.membership else { return };
    put::bool(buf, 3, true);
    put::text(buf, 4, membership.parent.as_ref().map_or(&[][..], Service::as_bytes));
    for service in &membership.subscribers {
        put::bytes(buf, 5, service.as_bytes());
    }
    put::uint(buf, 6, visibility(membership.display_others));
    put::uint(buf, 7, visibility(membership.share_own));
}

fn conversation(buf: &mut Vec<u8>, row: &ConversationRow) {
    put::text(buf, 1, row.channel.as_bytes());
    put::text(buf, 2, row.customer.as_bytes());
    if let Some(holder) = &row.holder {
        put::message(buf, 3, |buf| {
            agent_of(buf, &holder.service, &holder.agent);
            put::int(buf, 3, holder.since_ms);
            put::int(buf, 4, holder.until_ms);
        });
    }
}

fn entry(buf: &mut Vec<u8>, row: &EntryRow, partition: u32) {
    put::text(buf, 1, row.channel.as_bytes());
    put::text(buf, 2, row.customer.as_bytes());
    put::uint(buf, 3, row.seq);
    if let Some(author) = &row.author {
        put::message(buf, 4, |buf| author_of(buf, author));
    }
    match &row.shown {
        None => put::uint(buf, 5, visibility(Visibility::Masked)),
        Some(shown) => {
            put::uint(buf, 5, visibility(Visibility::Full));
            put::bytes(buf, 6, &shown.content.0);
            put::text(buf, 7, shown.message_id.as_bytes());
            put::text(buf, 8, shown.in_reply_to.as_bytes());
            put::int(buf, 9, shown.sent_at_ms);
            put::text(buf, 10, shown.command_id.as_ref().map_or(&[][..], |id| id.as_bytes()));
        }
    }
    put::message(buf, 11, |buf| {
        put::uint(buf, 1, u64::from(partition));
        put::uint(buf, 2, row.offset);
    });
    put::int(buf, 12, row.at_ms);
}

fn author_of(buf: &mut Vec<u8>, author: &Author) {
    put::text(buf, 1, author.service.as_bytes());
    put::text(buf, 2, author.origin.agent().map_or(&[][..], Agent::as_bytes));
    put::uint(buf, 3, origin(&author.origin));
}

fn warning(buf: &mut Vec<u8>, row: &WarningRow) {
    put::text(buf, 1, row.channel.as_bytes());
    put::text(buf, 2, row.customer.as_bytes());
    let kind = match row.kind {
        WarningKind::AlreadyPickedUp => pb::WarningKind::AlreadyPickedUp,
        WarningKind::TakenOver => pb::WarningKind::TakenOver,
        WarningKind::ReplyOverPickup => pb::WarningKind::ReplyOverPickup,
        WarningKind::UnseenEntries => pb::WarningKind::UnseenEntries,
    };
    put::uint(buf, 3, number(kind.into()));
    put::message(buf, 4, |buf| agent_of(buf, &row.by.0, &row.by.1));
    if let Some((service, agent)) = &row.holder {
        put::message(buf, 5, |buf| agent_of(buf, service, agent));
    }
    put::uint(buf, 6, row.seq);
    put::uint(buf, 7, row.latest_seq);
    put::int(buf, 8, row.at_ms);
}

fn rejection(buf: &mut Vec<u8>, row: &RejectionRow) {
    put::text(buf, 1, row.number.as_bytes());
    put::text(buf, 2, row.command_id.as_bytes());
    put::uint(buf, 3, number(reason(row.reason).into()));
    put::int(buf, 4, row.at_ms);
}

fn agent_of(buf: &mut Vec<u8>, service: &Service, agent: &Agent) {
    put::text(buf, 1, service.as_bytes());
    put::text(buf, 2, agent.as_bytes());
}

fn visibility(visibility: Visibility) -> u64 {
    number(match visibility {
        Visibility::Full => pb::Visibility::Full.into(),
        Visibility::Masked => pb::Visibility::Masked.into(),
    })
}

/// An origin's number, without its agent.
pub(crate) fn origin(origin: &Origin) -> u64 {
    let origin = match origin {
        Origin::Agent(_) => pb::Origin::Agent,
        Origin::Bot(_) => pb::Origin::Bot,
        Origin::AutoReply(_) => pb::Origin::AutoReply,
        Origin::Workflow(_) => pb::Origin::Workflow,
        Origin::Notification(_) => pb::Origin::Notification,
    };
    number(origin.into())
}

pub(crate) fn reason(reason: Reason) -> pb::Reason {
    match reason {
        Reason::NotSubscribed => pb::Reason::NotSubscribed,
        Reason::NotParent => pb::Reason::NotParent,
        Reason::PickedUp => pb::Reason::PickedUp,
        Reason::NotHolder => pb::Reason::NotHolder,
        Reason::Disconnected => pb::Reason::Disconnected,
        Reason::TooManyServices => pb::Reason::TooManyServices,
    }
}

fn number(value: i32) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

impl PositionRow {
    /// How the keys of position rows begin.
    pub const KEY_PREFIX: &'static [u8] = b"position/";

    /// Appends its key.
    pub fn key(&self, buf: &mut Vec<u8>) {
        let _ = write!(buf, "position/{}", self.partition);
    }

    /// Appends its value: an encoded `partyline.v1.ViewRow`.
    pub fn encode(&self, buf: &mut Vec<u8>) {
        put::message(buf, 7, |buf| {
            put::uint(buf, 1, u64::from(self.partition));
            put::uint(buf, 2, self.next_offset);
            put::int(buf, 3, self.at_ms);
        });
    }

    /// Reads the value of a position row; `None` if it is something else.
    pub fn decode(value: &[u8]) -> Option<Self> {
        match pb::ViewRow::decode(value).ok()?.row? {
            pb::view_row::Row::Position(pb::PositionRow { partition, next_offset, at_ms }) => {
                Some(Self { partition, next_offset, at_ms })
            }
            _ => None,
        }
    }
}
