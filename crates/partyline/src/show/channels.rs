//! `view channels`: the numbers of a service, and who shares them.

use comfy_table::{Cell, Table};
use partyline_ledger::Service;

use super::{
    Ask, Screen,
    pages::each_row,
    row::{self, Channel},
    rows,
    table::{Look, PARENT, quiet},
};

/// A table is printed once it has so many rows.
const TABLE_ROWS: usize = 500;

pub(super) fn show(service: &Service, ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    if screen.json {
        return rows::show("channel/", ask, screen);
    }
    let look = screen.look;
    let mut table = empty(look);
    let mut shown = 0_u64;
    let out = &mut *screen.out;
    each_row(ask, "channel/", &mut |_, value| {
        let Some(channel) = row::read::<Channel>(value, "channel") else { return Ok(()) };
        table.add_row(cells(service, &channel));
        shown += 1;
        if table.row_count() >= TABLE_ROWS {
            writeln!(out, "{table}")?;
            table = empty(look);
        }
        Ok(())
    })?;
    if shown == 0 {
        screen.note(format_args!("{service} was never connected to a number"))?;
    } else if !table.is_empty() {
        writeln!(screen.out, "{table}")?;
    }
    Ok(())
}

fn empty(look: Look) -> Table {
    look.table(&["channel", "kind", "subscribers, ★ parent", "others' replies are", "others see its replies"])
}

fn cells(service: &Service, channel: &Channel) -> Vec<Cell> {
    let kind = if channel.isolated { "isolated" } else { "shared" };
    let id = Cell::new(&channel.channel_id);
    if !channel.subscribed {
        return vec![id, Cell::new(kind), quiet(format!("({service} left)")), quiet("-"), quiet("-")];
    }
    let settings =
        [&channel.display_others, &channel.share_own].map(|s| if s == "FULL" { "in full" } else { "masked" });
    vec![id, Cell::new(kind), Cell::new(subscribers(channel)), Cell::new(settings[0]), Cell::new(settings[1])]
}

/// The subscribers in order, the parent marked.
pub fn subscribers(channel: &Channel) -> String {
    let mark = |service: &String| {
        if *service == channel.parent { format!("{service} {PARENT}") } else { service.clone() }
    };
    channel.subscribers.iter().map(mark).collect::<Vec<_>>().join(", ")
}
