//! The rules of partyline: a step is a pure function of (state, command).
//!
//! [`apply`] takes what is known of a business number and one command, changes that state, and returns the rows that
//! every service concerned must see. It does no IO, reads no clock but log time, and cannot panic on any input.
//!
//! The way of a command: [`Command`] → [`apply`] → one file of `rules/` for its action → [`Addressed`] rows, masked →
//! and, where a timeline must be told again, a [`Retelling`] that gives its rows in bounded chunks.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod apply;
mod channel;
mod command;
mod conversation;
mod masking;
mod names;
mod number;
mod retelling;
mod row;
mod rules;
mod text;
mod timeline;
mod window;

pub use apply::{Applied, At, Outcome, Reason, apply};
pub use channel::{Channel, ChannelId};
pub use command::{
    Action, Command, Content, IdHash, IdKind, KnownBy, Licence, Message, Origin, Pickup, Reply, Subscribe,
};
pub use conversation::{Conversation, Held, Writer};
pub use masking::Visibility;
pub use names::{Agent, BadName, BusinessNumber, CommandId, Customer, Service};
pub use number::{Lengths, MAX_SERVICES, Member, Number, Place, ServiceIx};
pub use retelling::Retelling;
pub use row::{
    Addressed, Author, ChannelRow, ConversationRow, EntryRow, Holder, Membership, RejectionRow, Row, ServiceSet, Shown,
    WarningKind, WarningRow,
};
pub use timeline::{Entry, EntryAuthor, Memory};
pub use window::{RecentIds, WINDOW_IDS, Window};
