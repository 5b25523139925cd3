//! `view inbox`: a service's conversations, the one with the newest entry first.

use comfy_table::{Cell, CellAlignment, ColumnConstraint};
use partyline_ledger::Service;
use serde_json::json;

use super::{
    Ask, Screen,
    content::{snippet, text},
    newest::Newest,
    pages::{any, each_row, one},
    row::{self, Conversation, Entry, Holder},
    table::{MASK, holding, quiet, who},
    time,
};

/// Characters of the last entry that a table shows.
const SNIPPET_CHARS: usize = 60;
/// Conversations in hand that are looked at for having no entry yet.
const PICKED_UP_MAX: usize = 10_000;

/// A conversation, as far as it is known from its last entry or its pickup.
struct Thread {
    /// `<channel id>/<customer>`, as in its rows' keys.
    path: String,
    last: Option<Entry>,
}

impl Thread {
    fn channel(&self) -> &str {
        self.path.split_once('/').map_or(self.path.as_str(), |(channel, _)| channel)
    }

    fn customer(&self) -> &str {
        self.path.split_once('/').map_or("", |(_, customer)| customer)
    }
}

pub(super) fn show(service: &Service, limit: usize, ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    let mut newest = Newest::new(limit);
    written(ask, &mut newest)?;
    only_picked_up(ask, screen.now_ms, &mut newest)?;
    if newest.seen == 0 {
        return Ok(screen.note(format_args!("no conversations in the view of {service} yet"))?);
    }
    let left_out = newest.left_out();
    let threads: Vec<Thread> = newest.into_newest().collect();
    if screen.json {
        for thread in &threads {
            let holder = holder(thread, ask)?;
            line(thread, holder.as_ref(), screen)?;
        }
    } else {
        table(&threads, ask, screen)?;
    }
    if left_out > 0 {
        screen.note(format_args!("{left_out} older conversations are not shown (--limit)"))?;
    }
    Ok(())
}

fn table(threads: &[Thread], ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    // Columns are scarce, and most services have one number.
    let channel = threads.first().map(Thread::channel).filter(|first| threads.iter().all(|t| t.channel() == *first));
    let mut table = screen.look.table(&["customer", "last entry (UTC)", "who says what", "in hand", "entries"]);
    for thread in threads {
        let holder = holder(thread, ask)?;
        table.add_row(cells(thread, channel.is_none(), holder.as_ref(), screen.now_ms));
    }
    if let Some(column) = table.column_mut(1) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    if let Some(channel) = channel {
        writeln!(screen.out, "on {channel}")?;
    }
    Ok(writeln!(screen.out, "{table}")?)
}

fn holder(thread: &Thread, ask: &mut Ask<'_>) -> anyhow::Result<Option<Holder>> {
    let row = one(ask, &format!("conversation/{}", thread.path))?;
    Ok(row.and_then(|value| row::read::<Conversation>(&value, "conversation")?.holder))
}

/// Conversations that have entries. Only the last entry of each is decoded: their keys are in order.
fn written(ask: &mut Ask<'_>, newest: &mut Newest<Thread>) -> anyhow::Result<()> {
    let mut last: Option<(Vec<u8>, Vec<u8>)> = None;
    let mut take = |row: Option<(Vec<u8>, Vec<u8>)>| {
        let Some((key, value)) = row else { return };
        let (Some(path), Some(entry)) = (path_of(&key), row::read::<Entry>(&value, "entry")) else { return };
        newest.push(entry.at_ms, Thread { path: path.to_owned(), last: Some(entry) });
    };
    each_row(ask, "entry/", &mut |key, value| {
        let same = last.as_ref().is_some_and(|(before, _)| path_of(before) == path_of(key));
        let before = last.replace((key.to_vec(), value.to_vec()));
        if !same {
            take(before);
        }
        Ok(())
    })?;
    take(last);
    Ok(())
}

/// Conversations that somebody has in hand just now, without an entry yet.
fn only_picked_up(ask: &mut Ask<'_>, now_ms: i64, newest: &mut Newest<Thread>) -> anyhow::Result<()> {
    let mut live = Newest::new(PICKED_UP_MAX);
    each_row(ask, "conversation/", &mut |key, value| {
        let holder = row::read::<Conversation>(value, "conversation").and_then(|row| row.holder);
        if let (Some(holder), Some(path)) = (holder.filter(|holder| holder.is_live(now_ms)), path_of(key)) {
            live.push(holder.since_ms, (holder.since_ms, path.to_owned()));
        }
        Ok(())
    })?;
    for (since_ms, path) in live.into_newest() {
        if !any(ask, &format!("entry/{path}/"))? {
            newest.push(since_ms, Thread { path, last: None });
        }
    }
    Ok(())
}

/// `<channel id>/<customer>` of a conversation's or an entry's key.
fn path_of(key: &[u8]) -> Option<&str> {
    let key = std::str::from_utf8(key).ok()?;
    match key.split_once('/')? {
        ("entry", rest) => rest.rsplit_once('/').map(|(path, _)| path),
        (_, path) => Some(path),
    }
}

fn cells(thread: &Thread, with_channel: bool, holder: Option<&Holder>, now_ms: i64) -> Vec<Cell> {
    let customer = thread.customer();
    let name = if with_channel { format!("{customer}\non {}", thread.channel()) } else { customer.to_owned() };
    let (when, says) = match &thread.last {
        None => (quiet("-"), quiet("nothing yet")),
        Some(last) => (quiet(time::utc_minute(last.at_ms)), says(last)),
    };
    // Entries are numbered without gaps, so the last number is how many there are.
    let entries = Cell::new(thread.last.as_ref().map_or(0, |last| last.seq)).set_alignment(CellAlignment::Right);
    vec![Cell::new(name), when, says, holding(holder, now_ms), entries]
}

fn says(last: &Entry) -> Cell {
    let who = who(last.author.as_ref());
    if last.is_masked() {
        return quiet(format!("{who}: {MASK}"));
    }
    Cell::new(format!("{who}: {}", snippet(&text(&last.content), SNIPPET_CHARS)))
}

fn line(thread: &Thread, holder: Option<&Holder>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    let last = thread.last.as_ref().map(|last| {
        let mut shown = json!({
            "seq": last.seq,
            "at_ms": last.at_ms,
            "who": who(last.author.as_ref()),
            "visibility": last.visibility,
        });
        if !last.is_masked() {
            shown["content"] = last.content.clone();
        }
        shown
    });
    let holder = holder.map(|h| {
        json!({
            "service": h.service, "agent": h.agent, "since_ms": h.since_ms, "until_ms": h.until_ms,
            "live": h.is_live(screen.now_ms),
        })
    });
    let entries = thread.last.as_ref().map_or(0, |last| last.seq);
    let line = json!({
        "channel_id": thread.channel(), "customer": thread.customer(), "entries": entries, "last": last, "holder": holder,
    });
    Ok(writeln!(screen.out, "{line}")?)
}
