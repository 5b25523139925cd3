//! What is remembered of one business number.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

/// How many ids of one kind and scope make a duplicate.
const RECENT_IDS: usize = 256;

/// The last ids of one kind and scope, oldest first.
#[derive(Default)]
pub struct Recent(VecDeque<String>);

impl Recent {
    pub fn contains(&self, id: &str) -> bool {
        self.0.iter().any(|known| known == id)
    }

    pub fn remember(&mut self, id: String) {
        self.0.push_back(id);
        if self.0.len() > RECENT_IDS {
            self.0.pop_front();
        }
    }
}

/// The two display settings of a (number, service), each `FULL` or `MASKED`.
#[derive(Clone, PartialEq)]
pub struct Settings {
    pub display_others: String,
    pub share_own: String,
}

pub struct Number {
    pub id: String,
    /// Every service that ever subscribed, with its last settings.
    pub ever: BTreeMap<String, Settings>,
    /// Subscribers of the shared channel in order; the first is the parent.
    pub shared: Vec<String>,
    /// Services whose isolated channel has its subscriber.
    pub isolated: BTreeSet<String>,
    /// By channel id and customer.
    pub conversations: BTreeMap<(String, String), Conversation>,
    /// Ids of `subscribe`, `unsubscribe` and `republish`.
    pub commands: Recent,
    /// How many rejections were published.
    pub rejections: u64,
}

#[derive(Default)]
pub struct Conversation {
    /// `seq` is the place here, from 1.
    pub entries: Vec<Entry>,
    /// The last pickup, live or run out. Kept when it ran out: log time may go back.
    pub pickup: Option<Pickup>,
    /// How many warnings there were.
    pub warnings: u64,
    /// Ids of messages.
    pub messages: Recent,
    /// Ids of replies and pickups.
    pub commands: Recent,
}

#[derive(Clone)]
pub struct Entry {
    /// Nobody: the customer.
    pub author: Option<Author>,
    pub content: Value,
    pub message_id: String,
    pub in_reply_to: String,
    pub sent_at_ms: i64,
    pub command_id: String,
    pub partition: u32,
    pub offset: u64,
    pub at_ms: i64,
}

#[derive(Clone)]
pub struct Author {
    pub service: String,
    pub agent: String,
    pub origin: String,
}

#[derive(Clone)]
pub struct Pickup {
    pub service: String,
    pub agent: String,
    pub since_ms: i64,
    pub until_ms: i64,
    pub hold_for_s: i64,
}

impl Pickup {
    pub fn is_by(&self, service: &str, agent: &str) -> bool {
        self.service == service && self.agent == agent
    }
}

impl Conversation {
    pub fn live_pickup(&self, at_ms: i64) -> Option<Pickup> {
        self.pickup.clone().filter(|pickup| at_ms < pickup.until_ms)
    }
}

impl Number {
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ever: BTreeMap::new(),
            shared: Vec::new(),
            isolated: BTreeSet::new(),
            conversations: BTreeMap::new(),
            commands: Recent::default(),
            rejections: 0,
        }
    }

    pub fn isolated_channel(&self, service: &str) -> String {
        format!("{}~{service}", self.id)
    }

    /// The channel that the service is subscribed to; never more than one.
    pub fn channel_of(&self, service: &str) -> Option<String> {
        if self.shared.iter().any(|subscriber| subscriber == service) {
            return Some(self.id.clone());
        }
        self.isolated.contains(service).then(|| self.isolated_channel(service))
    }

    /// A channel's subscribers in order; the first is the parent.
    pub fn subscribers(&self, channel: &str) -> Vec<String> {
        match channel.split_once('~') {
            None => self.shared.clone(),
            Some((_, owner)) => self.isolated.get(owner).cloned().into_iter().collect(),
        }
    }

    /// Every channel with a subscriber.
    pub fn connected_channels(&self) -> Vec<String> {
        let shared = (!self.shared.is_empty()).then(|| self.id.clone());
        shared.into_iter().chain(self.isolated.iter().map(|owner| self.isolated_channel(owner))).collect()
    }

    /// The customers of a channel's conversations, sorted.
    pub fn customers(&self, channel: &str) -> Vec<String> {
        let of_channel = self.conversations.keys().filter(|(id, _)| id == channel);
        of_channel.map(|(_, customer)| customer.clone()).collect()
    }
}
