//! `view warnings`: what a service's agents were warned of.

use comfy_table::Cell;
use partyline_ledger::Service;

use super::{
    Ask, Screen,
    newest::Newest,
    pages::each_row,
    row::{self, Warning},
    rows,
    table::{agent_of, loud, quiet},
    time,
};

pub(super) fn show(service: &Service, limit: usize, ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    if screen.json {
        return rows::show("warning/", ask, screen);
    }
    let mut newest = Newest::new(limit);
    each_row(ask, "warning/", &mut |_, value| {
        if let Some(warning) = row::read::<Warning>(value, "warning") {
            newest.push(warning.at_ms, warning);
        }
        Ok(())
    })?;
    if newest.seen == 0 {
        return Ok(screen.note(format_args!("no warnings for {service}"))?);
    }
    let left_out = newest.left_out();
    let mut table = screen.look.table(&["when (UTC)", "channel", "customer", "warning", "what happened"]);
    for warning in newest.into_newest() {
        table.add_row(vec![
            quiet(time::utc(warning.at_ms)),
            Cell::new(&warning.channel_id),
            Cell::new(&warning.customer),
            loud(&warning.kind),
            Cell::new(story(&warning)),
        ]);
    }
    writeln!(screen.out, "{table}")?;
    if left_out > 0 {
        screen.note(format_args!("{left_out} older warnings are not shown (--limit)"))?;
    }
    Ok(())
}

/// What happened, in a sentence.
pub fn story(warning: &Warning) -> String {
    let by = agent_of(&warning.by.service, &warning.by.agent);
    let holder = warning.holder.as_ref().map_or_else(|| "nobody".to_owned(), |h| agent_of(&h.service, &h.agent));
    match warning.kind.as_str() {
        "ALREADY_PICKED_UP" => format!("{by} wanted it while {holder} has it in hand"),
        "TAKEN_OVER" => format!("{by} took it over from {holder}"),
        "REPLY_OVER_PICKUP" => format!("{by} wrote #{} while {holder} has it in hand", warning.seq),
        "UNSEEN_ENTRIES" => format!("{by} wrote #{} without having seen #{}", warning.seq, warning.latest_seq),
        _ => format!("by {by}"),
    }
}
