//! What is known of partitions at the moment they are gained.

use std::collections::BTreeSet;

use super::{REQUEST, admin, config::Settings, intake::Member, offsets, reader::TopicReader};
use crate::{Bounds, Gained, LogError, Partition, Topics};

/// Bounds, the group's position, and whether the views are empty: all asked now, in an order in which they agree even
/// if another process, that the group has not told yet, still commits.
pub(super) fn look(
    settings: &Settings,
    topics: &Topics,
    member: &Member,
    partitions: &[Partition],
) -> Result<Vec<Gained>, LogError> {
    let positions = || offsets::committed(member, &topics.commands, partitions);
    let mut committed = positions()?;
    let new = partitions.iter().zip(&committed).filter(|(_, committed)| committed.is_none());
    let new: Vec<Partition> = new.map(|(partition, _)| *partition).collect();
    let filled = filled(settings, topics, member, &new)?;
    if !filled.is_empty() {
        // Rows come with their position, so whose rows are there must have it by now.
        committed = positions()?;
    }
    // After the positions: none lies beyond an end that is asked later.
    let bounds = offsets::bounds(member, &topics.commands, partitions)?;
    let gained = bounds.into_iter().zip(committed).map(|(bounds, committed)| {
        let views_empty = committed.is_none() && !filled.contains(&bounds.partition);
        Gained { bounds, committed, views_empty }
    });
    Ok(gained.collect())
}

/// In which of these partitions any view topic has a record. Asked only where the group has no position: it costs a
/// look into every view.
fn filled(
    settings: &Settings,
    topics: &Topics,
    member: &Member,
    partitions: &[Partition],
) -> Result<BTreeSet<Partition>, LogError> {
    let mut filled = BTreeSet::new();
    if partitions.is_empty() {
        return Ok(filled);
    }
    for topic in admin::list(member, topics)? {
        if topics.service(&topic).is_none() {
            continue;
        }
        let count = admin::partitions(member, &topic)?.unwrap_or_default();
        let unknown = |partition: &Partition| *partition < count && !filled.contains(partition);
        let unknown: Vec<Partition> = partitions.iter().copied().filter(unknown).collect();
        for bounds in offsets::bounds(member, &topic, &unknown)? {
            if has_record(settings, topics, &topic, bounds)? {
                filled.insert(bounds.partition);
            }
        }
    }
    Ok(filled)
}

/// Offsets alone do not tell: aborted rows and transactions' markers take them as well.
fn has_record(settings: &Settings, topics: &Topics, topic: &str, bounds: Bounds) -> Result<bool, LogError> {
    if bounds.begin == bounds.end {
        return Ok(false);
    }
    let reader = TopicReader::new(settings, topics, topic, &[(bounds.partition, bounds.begin)])?;
    reader.any_below(bounds, REQUEST)
}
