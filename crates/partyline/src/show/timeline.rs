//! `view timeline`: one conversation, entry by entry.

use std::{collections::VecDeque, fmt, str::FromStr};

use comfy_table::Cell;
use partyline_ledger::{BusinessNumber, Customer, Service};

use super::{
    Ask, Screen,
    channels::subscribers,
    pages::{any, each_row, one},
    row::{self, Channel, Conversation, Entry},
    rows,
    table::{PARENT, holding, quiet, said, who},
    time,
};
use crate::exit::Exit;

/// Entries that a table shows unless `--last` says otherwise.
const DEFAULT_LAST: usize = 100;

/// A channel as people name it: `<number>`, or `<number>~<service>` for an isolated one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelName {
    number: BusinessNumber,
    owner: Option<Service>,
}

impl FromStr for ChannelName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, owner) = match text.split_once('~') {
            Some((number, owner)) => (number, Some(Service::new(owner).map_err(|bad| format!("the service {bad}"))?)),
            None => (text, None),
        };
        let number = BusinessNumber::new(number).map_err(|bad| format!("the number {bad}"))?;
        Ok(Self { number, owner })
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            None => write!(f, "{}", self.number),
            Some(owner) => write!(f, "{}~{owner}", self.number),
        }
    }
}

/// Which timeline is asked for.
pub(super) struct Asked<'a> {
    pub service: &'a Service,
    pub channel: &'a ChannelName,
    pub customer: &'a Customer,
    /// At most so many entries, the last ones.
    pub last: Option<usize>,
}

pub(super) fn show(asked: &Asked<'_>, ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<Exit> {
    let Some(channel) = find(asked, ask)? else {
        let Asked { service, channel, customer, .. } = asked;
        screen.note(format_args!("{service} sees no conversation with {customer} on {channel}"))?;
        return Ok(Exit::Differs);
    };
    if channel != asked.channel.to_string() {
        screen.note(format_args!("on the isolated channel {channel}"))?;
    }
    let prefix = format!("entry/{channel}/{}/", asked.customer);
    if !screen.json {
        heading(&channel, asked, ask, screen)?;
        table(&prefix, asked.last.unwrap_or(DEFAULT_LAST), ask, screen)?;
    } else if let Some(last) = asked.last {
        for (key, value) in the_last(&prefix, last, ask)?.rows {
            rows::line(screen.out, &key, &value)?;
        }
    } else {
        rows::show(&prefix, ask, screen)?;
    }
    Ok(Exit::Done)
}

/// The channel that is named, or the service's own of that number where the conversation is only there.
fn find(asked: &Asked<'_>, ask: &mut Ask<'_>) -> anyhow::Result<Option<String>> {
    let named = asked.channel.to_string();
    let own = asked.channel.owner.is_none().then(|| format!("{named}~{}", asked.service));
    for channel in std::iter::once(named).chain(own) {
        let is_there = one(ask, &format!("conversation/{channel}/{}", asked.customer))?.is_some()
            || any(ask, &format!("entry/{channel}/{}/", asked.customer))?;
        if is_there {
            return Ok(Some(channel));
        }
    }
    Ok(None)
}

fn heading(channel: &str, asked: &Asked<'_>, ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    let row = one(ask, &format!("channel/{channel}"))?.and_then(|value| row::read::<Channel>(&value, "channel"));
    let shared_by = match row {
        Some(row) if row.subscribed => subscribers(&row),
        _ => format!("({} left)", asked.service),
    };
    let row = one(ask, &format!("conversation/{channel}/{}", asked.customer))?;
    let holder = row.and_then(|value| row::read::<Conversation>(&value, "conversation")?.holder);
    let holder = holder.map_or_else(|| "nobody".to_owned(), |h| holding(Some(&h), screen.now_ms).content());
    writeln!(screen.out, "{} on {channel}, as {} sees it", asked.customer, asked.service)?;
    writeln!(screen.out, "subscribers: {shared_by} ({PARENT} is the parent) · in hand: {holder}")?;
    Ok(())
}

fn table(prefix: &str, last: usize, ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    let found = the_last(prefix, last, ask)?;
    if found.rows.is_empty() {
        return Ok(screen.note(format_args!("nobody has written anything yet"))?);
    }
    if found.left_out > 0 {
        screen.note(format_args!("{} earlier entries are not shown (--last)", found.left_out))?;
    }
    let mut table = screen.look.table(&["#", "when (UTC)", "who", "says"]);
    for (key, value) in &found.rows {
        let Some(entry) = row::read::<Entry>(value, "entry") else {
            let key = String::from_utf8_lossy(key);
            screen.note(format_args!("{key} cannot be read by this program; `view rows` shows what it can"))?;
            continue;
        };
        let when = quiet(time::utc(entry.at_ms));
        table.add_row(vec![Cell::new(entry.seq), when, Cell::new(who(entry.author.as_ref())), said(&entry)]);
    }
    Ok(writeln!(screen.out, "{table}")?)
}

/// The last rows of a timeline.
struct Tail {
    rows: VecDeque<(Vec<u8>, Vec<u8>)>,
    left_out: u64,
}

fn the_last(prefix: &str, last: usize, ask: &mut Ask<'_>) -> anyhow::Result<Tail> {
    let mut tail = Tail { rows: VecDeque::new(), left_out: 0 };
    each_row(ask, prefix, &mut |key, value| {
        if tail.rows.len() >= last {
            tail.rows.pop_front();
            tail.left_out += 1;
        }
        tail.rows.push_back((key.to_vec(), value.to_vec()));
        Ok(())
    })?;
    Ok(tail)
}
