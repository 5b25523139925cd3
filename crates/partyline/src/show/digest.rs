//! `view digest`: one number for the whole view, and how much of the log it reflects.

use comfy_table::Cell;
use partyline_ledger::Service;
use serde_json::json;

use super::{Ask, Screen, pages, table::quiet, time};

pub(super) fn show(service: &Service, ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    let summary = pages::summary(ask)?;
    if screen.json {
        let positions = summary
            .positions
            .iter()
            .map(|p| json!({ "partition": p.partition, "next_offset": p.next_offset, "at_ms": p.at_ms }));
        let line = json!({
            "service": service.as_str(),
            "digest": summary.digest,
            "rows": summary.rows,
            "positions": positions.collect::<Vec<_>>(),
        });
        return Ok(writeln!(screen.out, "{line}")?);
    }
    writeln!(screen.out, "digest  {}\nrows    {}", summary.digest, summary.rows)?;
    if summary.positions.is_empty() {
        return Ok(screen.note(format_args!("the view of {service} has not heard yet how fresh it is"))?);
    }
    let mut table = screen.look.table(&["log partition", "next offset", "log time (UTC)", "that is"]);
    for position in &summary.positions {
        let ago = time::between(position.at_ms, screen.now_ms);
        table.add_row(vec![
            Cell::new(position.partition),
            Cell::new(position.next_offset),
            Cell::new(time::utc(position.at_ms)),
            quiet(format!("{ago} ago")),
        ]);
    }
    Ok(writeln!(screen.out, "{table}")?)
}
