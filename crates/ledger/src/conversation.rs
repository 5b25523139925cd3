//! What the rules need to know of one conversation.

use crate::{Agent, IdKind, RecentIds, ServiceIx};

/// The state of one conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// Whether anything was accepted in it yet.
    pub opened: bool,
    /// The newest entry's number; 0 if there is none.
    pub seq: u64,
    /// Who wrote the newest entry.
    pub writer: Writer,
    /// The newest entry that somebody else wrote than the newest entry's writer; 0 if there is none.
    pub seq_of_others: u64,
    /// The last pickup, unless it was ended; it may have run out.
    pub held: Option<Held>,
    /// How many warnings there were.
    pub warnings: u64,
    /// Ids of messages.
    pub messages: RecentIds,
    /// Ids of replies and pickups.
    pub others: RecentIds,
}

/// Who wrote an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Writer {
    /// The customer.
    #[default]
    Customer,
    /// A service, and its agent if one is named.
    Service(ServiceIx, Option<Agent>),
}

/// A pickup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The holder's service.
    pub service: ServiceIx,
    /// The holder.
    pub agent: Agent,
    /// Log time at which it began.
    pub since_ms: i64,
    /// Log time at which it ends.
    pub until_ms: i64,
    /// How long a renewal lasts, seconds.
    pub hold_for_s: u32,
}

impl Held {
    /// A pickup that begins now.
    pub fn from(now_ms: i64, service: ServiceIx, agent: &Agent, hold_for_s: u32) -> Self {
        let mut held = Self { service, agent: agent.clone(), since_ms: now_ms, until_ms: now_ms, hold_for_s };
        held.renew(now_ms, hold_for_s);
        held
    }

    /// Lets it last `hold_for_s` from now.
    pub fn renew(&mut self, now_ms: i64, hold_for_s: u32) {
        self.hold_for_s = hold_for_s;
        self.until_ms = now_ms.saturating_add(i64::from(hold_for_s) * 1_000);
    }

    /// Whether it is this agent's.
    pub fn is_by(&self, service: ServiceIx, agent: &Agent) -> bool {
        self.service == service && self.agent == *agent
    }

    /// Whether it has not run out.
    pub fn is_live(&self, now_ms: i64) -> bool {
        now_ms < self.until_ms
    }

    /// Whether less than half of its time is left.
    pub fn is_half_over(&self, now_ms: i64) -> bool {
        self.until_ms.saturating_sub(now_ms).saturating_mul(2) < i64::from(self.hold_for_s) * 1_000
    }
}

impl Conversation {
    /// The pickup, if it is live at this log time.
    pub fn live(&self, now_ms: i64) -> Option<&Held> {
        self.held.as_ref().filter(|held| held.is_live(now_ms))
    }

    /// Its ids of one kind.
    pub fn ids(&self, kind: IdKind) -> &RecentIds {
        match kind {
            IdKind::Message => &self.messages,
            IdKind::Other => &self.others,
        }
    }

    /// The newest entry that this writer did not write; 0 if there is none.
    pub fn newest_not_by(&self, writer: &Writer) -> u64 {
        if self.writer == *writer { self.seq_of_others } else { self.seq }
    }

    /// Bytes of memory that it takes beside itself.
    pub fn memory_bytes(&self) -> usize {
        let holder = self.held.as_ref().map(|held| &held.agent);
        let writer = match &self.writer {
            Writer::Service(_, agent) => agent.as_ref(),
            Writer::Customer => None,
        };
        let names = [holder, writer].into_iter().flatten().map(Agent::memory_bytes).sum::<usize>();
        self.messages.memory_bytes() + self.others.memory_bytes() + names
    }

    /// Takes note that everything is kept elsewhere: ids are fresh from here on.
    pub fn kept(&mut self) {
        self.messages.kept();
        self.others.kept();
    }

    /// Opens it; says whether nothing was accepted in it before.
    pub(crate) fn open(&mut self) -> bool {
        !std::mem::replace(&mut self.opened, true)
    }

    /// Numbers a new entry.
    pub(crate) fn append(&mut self, writer: Writer) -> u64 {
        if self.seq > 0 && self.writer != writer {
            self.seq_of_others = self.seq;
        }
        self.writer = writer;
        self.seq += 1;
        self.seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_entry_of_others() {
        let mia = Writer::Service(ServiceIx(0), Agent::new("mia").ok());
        let ravi = Writer::Service(ServiceIx(1), Agent::new("ravi").ok());
        let mut conversation = Conversation::default();
        for (writer, mia_sees, ravi_sees, customer_sees) in [
            (&mia, 0, 1, 1),
            (&mia, 0, 2, 2),
            (&Writer::Customer, 3, 3, 2),
            (&Writer::Customer, 4, 4, 2),
            (&ravi, 5, 4, 5),
            (&mia, 5, 6, 6),
        ] {
            conversation.append(writer.clone());
            let seen = [&mia, &ravi, &Writer::Customer].map(|writer| conversation.newest_not_by(writer));
            assert_eq!(seen, [mia_sees, ravi_sees, customer_sees], "after {}", conversation.seq);
        }
    }

    #[test]
    fn half_over_is_strict() {
        let agent = Agent::new("mia").unwrap();
        let held = Held::from(1_000, ServiceIx(0), &agent, 10);
        assert_eq!(held.until_ms, 11_000);
        assert!(!held.is_half_over(6_000) && held.is_half_over(6_001));
        assert!(held.is_live(10_999) && !held.is_live(11_000));
        assert_eq!(Held::from(i64::MAX, ServiceIx(0), &agent, 10).until_ms, i64::MAX);
    }
}
