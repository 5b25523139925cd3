//! What the group has given a member's predecessor of the same name.
//!
//! A static member that comes back is given what its predecessor had, without a rebalance. But a predecessor that ended
//! when it was to give partitions up, and had not told the group that it did, leaves them with nobody: the group's leader
//! gives them to others only in the rebalance that this would have begun. Its successor then waits until the group has
//! put the predecessor out, which begins one.

use std::time::{Duration, Instant};

use rdkafka::{
    consumer::Consumer,
    groups::{GroupInfo, GroupMemberInfo},
};

use super::{admin, config::SESSION_MS, intake::Member};
use crate::Topics;

/// A look at the group takes no longer: where a broker is down, its part of the answer does not come.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at the group.
const STEP: Duration = Duration::from_millis(100);
/// A predecessor is put out when its session ends, and the group may take this much longer to see to it.
const LATE: Duration = Duration::from_secs(5);

/// A predecessor, as long as it may have to be waited for.
pub(super) struct Predecessor {
    name: String,
    until: Instant,
    look_at: Instant,
}

impl Predecessor {
    /// Of the member of this name.
    pub(super) fn of(name: &str) -> Self {
        let now = Instant::now();
        let session = Duration::from_millis(SESSION_MS.parse().unwrap_or_default());
        Self { name: name.to_owned(), until: now + session + LATE, look_at: now }
    }

    /// How long to wait before this is asked again; nothing if the member may join.
    pub(super) fn wait(&mut self, member: &Member, topics: &Topics) -> Option<Duration> {
        let now = Instant::now();
        if now >= self.look_at {
            // Whoever cannot tell joins.
            if now > self.until || !self.keeps_some_from_all(member, topics).unwrap_or_default() {
                return None;
            }
            tracing::debug!("waits until the group has put its predecessor out");
            self.look_at = now + STEP;
        }
        Some(self.look_at - now)
    }

    /// Whether the group takes a predecessor for a member, is content, and has given some partition to nobody.
    fn keeps_some_from_all(&self, member: &Member, topics: &Topics) -> Option<bool> {
        // First, because a client that does not know the brokers yet asks none.
        let all = admin::partitions(member, &topics.commands).ok()??;
        let groups = member.fetch_group_list(Some(&topics.group), LOOK);
        let groups = groups.inspect_err(|failure| tracing::debug!("looking at the group: {failure}")).ok()?;
        let group = groups.groups().iter().find(|group| group.name() == topics.group)?;
        if group.state() != "Stable" || !self.is_in(group) {
            return Some(false);
        }
        let given: usize = group.members().iter().filter_map(GroupMemberInfo::assignment).filter_map(count).sum();
        Some(given < usize::try_from(all).ok()?)
    }

    /// The group calls a static member by its name, with something behind it.
    fn is_in(&self, group: &GroupInfo) -> bool {
        let follows =
            |member: &GroupMemberInfo| member.id().strip_prefix(&self.name).is_some_and(|r| r.starts_with('-'));
        group.members().iter().any(follows)
    }
}

/// How many partitions an assignment of Kafka's consumer protocol has: a version, then topics with their partitions.
fn count(mut assignment: &[u8]) -> Option<usize> {
    let rest = &mut assignment;
    take::<2>(rest)?;
    let topics = i32::from_be_bytes(take(rest)?);
    let mut count = 0;
    for _ in 0..topics {
        let name = usize::try_from(i16::from_be_bytes(take(rest)?)).ok()?;
        *rest = rest.get(name..)?;
        let partitions = usize::try_from(i32::from_be_bytes(take(rest)?)).ok()?;
        *rest = rest.get(partitions.checked_mul(4)?..)?;
        count += partitions;
    }
    Some(count)
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts_the_partitions_of_all_topics() {
        let none = [0, 0, 0, 0, 0, 0];
        let two_topics =
            b"\0\x03\0\0\0\x02\0\x01a\0\0\0\x02\0\0\0\0\0\0\0\x01\0\x02bc\0\0\0\x01\0\0\0\x07\xff\xff\xff\xff";
        assert_eq!((count(&none), count(two_topics)), (Some(0), Some(3)));
        for cut in 0..two_topics.len() - 4 {
            assert_eq!(count(&two_topics[..cut]), None, "cut at {cut}");
        }
    }
}
