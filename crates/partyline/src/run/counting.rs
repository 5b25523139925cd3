//! The end of a topic as it was at the start, for `--until-end`.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use partyline_log::{Backend, Bounds, LogError, Offset, Partition, Records};

/// Between two looks at what others have committed.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Where each partition of a topic ended.
pub struct End {
    topic: Arc<str>,
    ends: BTreeMap<Partition, Offset>,
    looked: Option<Instant>,
}

impl End {
    /// The end of `topic` as it is now.
    ///
    /// # Errors
    /// If there is no such topic, or the log cannot be reached.
    pub fn of(backend: &dyn Backend, topic: &Arc<str>) -> Result<Self, LogError> {
        let ends = backend.bounds(topic)?.into_iter().map(|Bounds { partition, end, .. }| (partition, end)).collect();
        Ok(Self { topic: Arc::clone(topic), ends, looked: None })
    }

    /// Whether a reader of all partitions has come there.
    pub fn is_reached(&self, position: impl Fn(Partition) -> Offset) -> bool {
        self.ends.iter().all(|(partition, end)| position(*partition) >= *end)
    }

    /// Whether the group has come there: the partitions that we hold by our position, the others as committed.
    ///
    /// # Errors
    /// If the log cannot be reached.
    pub fn is_reached_by_group(
        &mut self,
        backend: &dyn Backend,
        held: impl Iterator<Item = (Partition, Offset)>,
        now: Instant,
    ) -> Result<bool, LogError> {
        let held: BTreeMap<_, _> = held.collect();
        if held.iter().any(|(partition, position)| self.ends.get(partition).is_some_and(|end| position < end)) {
            return Ok(false);
        }
        let others: Vec<_> =
            self.ends.iter().filter(|(partition, end)| **end > 0 && !held.contains_key(partition)).collect();
        if others.is_empty() {
            return Ok(true);
        }
        if self.looked.is_some_and(|looked| now.saturating_duration_since(looked) < LOOK_AGAIN) {
            return Ok(false);
        }
        self.looked = Some(now);
        let committed: BTreeMap<_, _> = backend.committed()?.into_iter().collect();
        for (partition, end) in others {
            let position = committed.get(partition).map_or(0, |committed| committed.next_offset);
            if position < *end && self.has_records(backend, *partition, position)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether there are records from `position` to the end: what is left may be control records only.
    fn has_records(&self, backend: &dyn Backend, partition: Partition, position: Offset) -> Result<bool, LogError> {
        let mut reader = backend.reader(&self.topic, &[(partition, position)])?;
        let mut records = Records::default();
        reader.next(&mut records, LOOK_AGAIN)?;
        let end = self.ends.get(&partition).copied().unwrap_or_default();
        Ok(!records.is_empty() || reader.position(partition) < end)
    }
}
