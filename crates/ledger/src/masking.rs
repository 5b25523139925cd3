//! Who may read what (contract: Masking). Everything that becomes an entry row passes here.

use crate::{Addressed, Author, ChannelId, Entry, EntryRow, Member, Number, Row, ServiceIx, ServiceSet, Shown};

/// Whether something is shown in full. As a setting: what a service wants shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Visibility {
    Full,
    Masked,
}

/// An audience, parted by what it may read of one entry.
struct Parted {
    /// Everything, and the command's id.
    author: ServiceSet,
    /// Everything but the command's id.
    full: ServiceSet,
    /// Only who, when and where in the timeline.
    masked: ServiceSet,
}

fn part(number: &Number, entry: &Entry, audience: ServiceSet) -> Parted {
    let mut parted =
        Parted { author: ServiceSet::default(), full: ServiceSet::default(), masked: ServiceSet::default() };
    let Some(author) = &entry.author else {
        parted.full = audience;
        return parted;
    };
    let shared = number.member(author.service).map(|member| member.share_own);
    for viewer in audience.iter() {
        let displayed = number.member(viewer).map(|member| member.display_others);
        if viewer == author.service {
            parted.author.insert(viewer);
        } else if (shared, displayed) == (Some(Visibility::Full), Some(Visibility::Full)) {
            parted.full.insert(viewer);
        } else {
            parted.masked.insert(viewer);
        }
    }
    parted
}

/// Adds the rows of one entry for an audience.
pub(crate) fn entry_rows(
    number: &Number,
    channel: &ChannelId,
    entry: &Entry,
    audience: ServiceSet,
    rows: &mut Vec<Addressed>,
) {
    let parted = part(number, entry, audience);
    let mut add = |to: ServiceSet, shown: fn(&Entry) -> Option<Shown>| {
        if !to.is_empty() {
            rows.push(Addressed { to, row: Row::Entry(entry_row(number, channel, entry, shown(entry))) });
        }
    };
    add(parted.author, |entry| Some(shown(entry, true)));
    add(parted.full, |entry| Some(shown(entry, false)));
    add(parted.masked, |_| None);
}

fn entry_row(number: &Number, channel: &ChannelId, entry: &Entry, shown: Option<Shown>) -> EntryRow {
    let name = |ix: ServiceIx| number.member(ix).map(|member: &Member| member.service.clone());
    EntryRow {
        channel: channel.clone(),
        customer: entry.customer.clone(),
        seq: entry.seq,
        author: entry
            .author
            .as_ref()
            .and_then(|author| name(author.service).map(|service| Author { service, origin: author.origin.clone() })),
        shown,
        offset: entry.offset,
        at_ms: entry.at_ms,
    }
}

fn shown(entry: &Entry, to_author: bool) -> Shown {
    Shown {
        content: entry.content.clone(),
        message_id: entry.message_id.clone(),
        in_reply_to: entry.in_reply_to.clone(),
        sent_at_ms: entry.sent_at_ms,
        command_id: entry.author.as_ref().filter(|_| to_author).map(|author| author.command_id.clone()),
    }
}
