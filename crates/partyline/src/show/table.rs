//! How tables look: within the terminal, coloured only where that is wanted.

use std::io::IsTerminal;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, modifiers, presets};

use super::{
    content::{safe, text},
    row::{Author, Entry, Holder},
    time,
};

/// Columns where standard output is no terminal.
const DEFAULT_COLUMNS: u16 = 100;
/// Narrower tables cannot be read, wider ones neither.
const COLUMNS: std::ops::RangeInclusive<u16> = 60..=160;
/// What is shown instead of what must not be read. Always the same: not even a length shows through.
pub const MASK: &str = "▒▒▒ masked";
/// Marks the parent.
pub const PARENT: &str = "★";

/// How tables look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns at most.
    pub columns: u16,
    /// Whether colours may be used.
    pub colour: bool,
}

impl Look {
    /// As standard output and `NO_COLOR` say.
    pub fn of_stdout() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let columns = Table::new().width().unwrap_or(DEFAULT_COLUMNS);
        Self {
            columns: columns.clamp(*COLUMNS.start(), *COLUMNS.end()),
            colour: std::io::stdout().is_terminal() && !no_colour,
        }
    }

    /// An empty table with these column titles.
    pub fn table(self, titles: &[&str]) -> Table {
        let mut table = Table::new();
        table
            .load_preset(presets::UTF8_FULL_CONDENSED)
            .apply_modifier(modifiers::UTF8_ROUND_CORNERS)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.columns)
            .set_header(titles.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
        if self.colour {
            table.enforce_styling()
        } else {
            table.force_no_tty()
        };
        table
    }
}

/// A cell of what an entry says, or its mask.
pub fn said(entry: &Entry) -> Cell {
    if entry.is_masked() { masked() } else { Cell::new(text(&entry.content)) }
}

/// A cell that hides something.
pub fn masked() -> Cell {
    quiet(MASK)
}

/// A cell of little importance.
pub fn quiet(text: impl ToString) -> Cell {
    Cell::new(text).fg(Color::DarkGrey)
}

/// A cell that asks for attention.
pub fn loud(text: impl ToString) -> Cell {
    Cell::new(text).fg(Color::Yellow)
}

/// A cell that says yes.
pub fn good(text: impl ToString) -> Cell {
    Cell::new(text).fg(Color::Green)
}

/// A cell that says no.
pub fn bad(text: impl ToString) -> Cell {
    Cell::new(text).fg(Color::Red)
}

/// Who wrote an entry: `customer`, `mia · desk`, `bot · desk`.
pub fn who(author: Option<&Author>) -> String {
    let Some(author) = author else { return "customer".to_owned() };
    let origin = author.origin.to_lowercase().replace('_', " ");
    match (author.origin.as_str(), author.agent.as_str()) {
        ("AGENT", agent) => agent_of(&author.service, agent),
        (_, "") => agent_of(&author.service, &origin),
        (_, agent) => agent_of(&author.service, &format!("{origin} {agent}")),
    }
}

/// An agent of a service.
pub fn agent_of(service: &str, agent: &str) -> String {
    safe(&format!("{agent} · {service}"))
}

/// Who has a conversation in hand, and for how long; or had it last.
pub fn holding(holder: Option<&Holder>, now_ms: i64) -> Cell {
    let Some(holder) = holder else { return quiet("-") };
    let (who, span) = (agent_of(&holder.service, &holder.agent), time::between(now_ms, holder.until_ms));
    if holder.is_live(now_ms) {
        Cell::new(format!("{who}, {span} left"))
    } else {
        quiet(format!("{who}, ran out {span} ago"))
    }
}
