//! The narrow interface through which the rules reach conversations and old timeline entries.

use std::sync::Arc;

use crate::{ChannelId, CommandId, Content, Conversation, Customer, IdHash, IdKind, Origin, ServiceIx};

/// One entry of a timeline: unmasked, held once.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The conversation's customer.
    pub customer: Customer,
    /// Its place in the timeline.
    pub seq: u64,
    /// Nothing for the customer.
    pub author: Option<EntryAuthor>,
    /// What was written.
    pub content: Content,
    /// WhatsApp's id; empty for a reply.
    pub message_id: Arc<str>,
    /// What it answers; may be empty.
    pub in_reply_to: Arc<str>,
    /// WhatsApp's time; 0 for a reply.
    pub sent_at_ms: i64,
    /// The command's offset.
    pub offset: u64,
    /// Log time.
    pub at_ms: i64,
}

/// Who wrote a reply, and by which command.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryAuthor {
    /// The service.
    pub service: ServiceIx,
    /// Its agent, in its role.
    pub origin: Origin,
    /// Shown to the author alone.
    pub command_id: CommandId,
}

/// What the ledger remembers outside a [`Number`](crate::Number): conversations, and each channel's two append-only
/// lists: its conversations in the order in which they were opened, and its entries in the order of the log.
pub trait Memory {
    /// How remembering fails.
    type Error;

    /// A conversation, to be read; a default one if there is none.
    fn conversation(&mut self, channel: &ChannelId, customer: &Customer) -> Result<&Conversation, Self::Error>;
    /// A conversation, to be changed; a default one if there is none. One that stays unopened need not be kept.
    fn conversation_mut(&mut self, channel: &ChannelId, customer: &Customer) -> Result<&mut Conversation, Self::Error>;
    /// The ids of a conversation that were [kept](Conversation::kept) elsewhere than in it, oldest first: at least as many
    /// of the newest as still count. Asked for if an id looks like one of them, which hardly any does that is new.
    fn kept_ids(&mut self, channel: &ChannelId, customer: &Customer, kind: IdKind) -> Result<Vec<IdHash>, Self::Error>;
    /// Appends to the channel's conversations; `index` is the list's length.
    fn append_conversation(&mut self, channel: &ChannelId, index: u64, customer: &Customer) -> Result<(), Self::Error>;
    /// Appends to the channel's entries; `index` is the list's length.
    fn append_entry(&mut self, channel: &ChannelId, index: u64, entry: &Entry) -> Result<(), Self::Error>;
    /// The channel's conversations from `from` and below `until`: at least one, at most as many as fit a bounded
    /// chunk.
    fn conversations(&mut self, channel: &ChannelId, from: u64, until: u64) -> Result<Vec<Customer>, Self::Error>;
    /// The channel's entries from `from` and below `until`: at least one, at most as many as fit a bounded chunk.
    fn entries(&mut self, channel: &ChannelId, from: u64, until: u64) -> Result<Vec<Entry>, Self::Error>;
}
