//! `view inbox`: a service's conversations, the one with the newest entry first.

use comfy_table::Cell;
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

/// A conversation, as far as it is known from its last entry or its pickup.
struct Thread {
    /// `<channel id>/<customer>`, as in its rows' keys.
    path: String,
    last: Option<Entry>,
}

pub(super) fn show(service: &Service, limit: usize, ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    let mut newest = Newest::new(limit);
    written(ask, &mut newest)?;
    only_picked_up(ask, screen.now_ms, &mut newest)?;
    if newest.seen == 0 {
        return Ok(writeln!(screen.notes, "no conversations in the view of {service} yet")?);
    }
    let left_out = newest.left_out();
    let titles = ["customer", "number", "last entry (UTC)", "who", "says", "in hand", "entries"];
    let mut table = screen.look.table(&titles);
    for thread in newest.into_newest() {
        let row = one(ask, &format!("conversation/{}", thread.path))?;
        let holder = row.and_then(|value| row::read::<Conversation>(&value, "conversation")?.holder);
        if screen.json {
            line(&thread, holder.as_ref(), screen)?;
        } else {
            table.add_row(cells(&thread, holder.as_ref(), screen.now_ms));
        }
    }
    if !screen.json {
        writeln!(screen.out, "{table}")?;
    }
    if left_out > 0 {
        writeln!(screen.notes, "{left_out} older conversations are not shown (--limit)")?;
    }
    Ok(())
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
    let mut live = Vec::new();
    each_row(ask, "conversation/", &mut |key, value| {
        let holder = row::read::<Conversation>(value, "conversation").and_then(|row| row.holder);
        if let Some(holder) = holder.filter(|holder| holder.is_live(now_ms)) {
            live.extend(path_of(key).map(|path| (holder.since_ms, path.to_owned())));
        }
        Ok(())
    })?;
    for (since_ms, path) in live {
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

fn cells(thread: &Thread, holder: Option<&Holder>, now_ms: i64) -> Vec<Cell> {
    let (number, customer) = thread.path.split_once('/').unwrap_or((&thread.path, ""));
    let mut cells = vec![Cell::new(customer), Cell::new(number)];
    match &thread.last {
        None => cells.extend(["-", "-", "nothing yet"].map(quiet)),
        Some(last) => {
            cells.push(quiet(time::utc(last.at_ms)));
            cells.push(Cell::new(who(last.author.as_ref())));
            cells.push(if last.is_masked() {
                quiet(MASK)
            } else {
                Cell::new(snippet(&text(&last.content), SNIPPET_CHARS))
            });
        }
    }
    cells.push(holding(holder, now_ms));
    // Entries are numbered without gaps.
    cells.push(Cell::new(thread.last.as_ref().map_or(0, |last| last.seq)));
    cells
}

fn line(thread: &Thread, holder: Option<&Holder>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    let (channel, customer) = thread.path.split_once('/').unwrap_or((&thread.path, ""));
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
        "channel_id": channel, "customer": customer, "entries": entries, "last": last, "holder": holder,
    });
    Ok(writeln!(screen.out, "{line}")?)
}
