//! `view rejections`: a service's commands that a rule forbade.

use comfy_table::Cell;
use partyline_ledger::Service;

use super::{
    Ask, Screen,
    newest::Newest,
    pages::each_row,
    row::{self, Rejection},
    rows,
    table::{bad, quiet},
    time,
};

pub(super) fn show(service: &Service, limit: usize, ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    if screen.json {
        return rows::show("rejection/", ask, screen);
    }
    let mut newest = Newest::new(limit);
    each_row(ask, "rejection/", &mut |_, value| {
        if let Some(rejection) = row::read::<Rejection>(value, "rejection") {
            newest.push(rejection.at_ms, rejection);
        }
        Ok(())
    })?;
    if newest.seen == 0 {
        return Ok(screen.note(format_args!("nothing of {service} was rejected"))?);
    }
    let left_out = newest.left_out();
    let mut table = screen.look.table(&["when (UTC)", "number", "command", "reason", "that is"]);
    for rejection in newest.into_newest() {
        table.add_row(vec![
            quiet(time::utc(rejection.at_ms)),
            Cell::new(&rejection.business_number),
            Cell::new(&rejection.command_id),
            bad(&rejection.reason),
            Cell::new(meaning(&rejection.reason)),
        ]);
    }
    writeln!(screen.out, "{table}")?;
    if left_out > 0 {
        screen.note(format_args!("{left_out} older rejections are not shown (--limit)"))?;
    }
    Ok(())
}

/// A reason in words.
pub fn meaning(reason: &str) -> &'static str {
    match reason {
        "NOT_SUBSCRIBED" => "the service is not connected to the number",
        "NOT_PARENT" => "only the parent's automation may write",
        "PICKED_UP" => "an agent has the conversation in hand",
        "NOT_HOLDER" => "only its holder can release a pickup",
        "DISCONNECTED" => "no service is connected to the number",
        "TOO_MANY_SERVICES" => "256 services have been connected already",
        _ => "",
    }
}
