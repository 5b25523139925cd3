//! Leaving the group.

use std::{sync::Arc, thread::JoinHandle};

use rdkafka::{TopicPartitionList, consumer::Consumer};

use super::{intake::Member, offsets, poll, rebalances::Rebalance};

/// The rest of an intake: leaves the group when it is dropped, after the transactions that are under way.
pub(super) struct Leaving {
    pub(super) consumer: Arc<Member>,
    pub(super) topic: Arc<str>,
    /// In the order librdkafka asked.
    pub(super) unanswered: Vec<Rebalance>,
    pub(super) threads: Vec<JoinHandle<()>>,
}

/// Leaves when it is dropped, and waits for that in bounded time.
#[derive(Default)]
pub(super) struct Departure(pub(super) Option<Leaving>);

impl Drop for Departure {
    fn drop(&mut self) {
        if let Some(leaving) = self.0.take() {
            poll::let_go(leaving);
        }
    }
}

impl Drop for Leaving {
    /// librdkafka leaves only when everything it asked for is answered.
    fn drop(&mut self) {
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
        for rebalance in self.unanswered.drain(..) {
            let answer = match rebalance {
                Rebalance::Assign(_) => self.consumer.incremental_assign(&TopicPartitionList::new()),
                Rebalance::Revoke { partitions, .. } => {
                    self.consumer.incremental_unassign(&offsets::tpl(&self.topic, partitions))
                }
            };
            if let Err(failure) = answer {
                tracing::debug!("while leaving the group: {failure}");
            }
        }
    }
}
