//! What a person reads: two screens of it, at most 100 columns wide.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, Table, Width};

use super::{
    Told,
    scene::{Moment, Seen, What},
    story::{CUSTOMER, NUMBER, SERVICES},
};
use crate::show::{
    subscribers,
    table::{Look, PARENT, bad, good, loud, masked, quiet},
};

/// Wider than this, lines are hard to read side by side.
const COLUMNS_MAX: u16 = 100;

/// Prints everything.
pub(super) fn print(told: &Told, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let look = Look { columns: look.columns.min(COLUMNS_MAX), ..look };
    writeln!(out, "\n1. Three services of one company share the WhatsApp number {NUMBER}.\n")?;
    writeln!(out, "{}", services(told, look))?;
    writeln!(out, "\n2. The customer {CUSTOMER} sees one conversation. This is what each service sees of it.\n")?;
    writeln!(out, "{}", scene(told, look))?;
    writeln!(
        out,
        "   ▒▒▒ who and when, nothing else · ! a warning, nothing is blocked · ✗ rejected · {PARENT} parent"
    )?;
    writeln!(out, "   before: {} · after: {} (and now its bot may write)", members(told, false), members(told, true))?;
    writeln!(out, "\n3. The proof: each view, fed row by row from its topic, equals a replay of the whole log.\n")?;
    writeln!(out, "{}", proofs(told, look))?;
    counts(told, out)?;
    next(told, out)
}

fn services(told: &Told, look: Look) -> Table {
    let mut table =
        look.table(&["service", "sees the others' replies", "lets others see its own", "its bots may write"]);
    for (at, channel) in told.before.iter().enumerate() {
        let service = SERVICES.get(at).copied().unwrap_or_default();
        let parent = channel.parent == service;
        let name = if parent { format!("{service} {PARENT} parent") } else { service.to_owned() };
        table.add_row(vec![
            Cell::new(name),
            Cell::new(if channel.display_others == "FULL" { "in full, where they allow it" } else { "masked" }),
            Cell::new(if channel.share_own == "FULL" { "in full" } else { "masked" }),
            Cell::new(if parent { "yes" } else { "no" }),
        ]);
    }
    table
}

fn scene(told: &Told, look: Look) -> Table {
    let titles: Vec<&str> = ["#", "who"].into_iter().chain(SERVICES).collect();
    let mut table = look.table(&titles);
    for moment in &told.scene.moments {
        table.add_row(cells(moment));
    }
    // Fixed, so that the three columns are equally wide.
    let rest = look.columns.saturating_sub(4 + 17 + 6) / 3;
    let widths = [4, 17, rest, rest, rest].map(|width| ColumnConstraint::Absolute(Width::Fixed(width)));
    table.set_constraints(widths);
    if let Some(column) = table.column_mut(0) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn cells(moment: &Moment) -> Vec<Cell> {
    let (mark, who): (Cell, Cell) = match &moment.what {
        What::Entry { seq, who } => (Cell::new(seq), Cell::new(who)),
        What::Warning(kind) => (loud("!"), loud(words(kind))),
        What::Rejection(_) => (bad("✗"), bad("rejected")),
        What::Channel => (Cell::new(PARENT), Cell::new("parent leaves")),
    };
    let seen = moment.seen.iter().map(|seen| match (seen, &moment.what) {
        (Seen::Nothing, What::Entry { .. }) => quiet("-"),
        (Seen::Nothing, _) => quiet(""),
        (Seen::Masked, _) => masked(),
        (Seen::Text(text), What::Warning(_)) => loud(text),
        (Seen::Text(text), What::Rejection(_)) => bad(text),
        (Seen::Text(text), What::Channel) => Cell::new(text).add_attribute(Attribute::Bold),
        (Seen::Text(text), What::Entry { .. }) => Cell::new(text),
    });
    [mark, who].into_iter().chain(seen).collect()
}

/// `TAKEN_OVER` becomes `taken over`.
fn words(name: &str) -> String {
    name.to_lowercase().replace('_', " ")
}

/// The subscribers, in the order in which they connected, as those who are left see them.
fn members(told: &Told, afterwards: bool) -> String {
    let channels = if afterwards { &told.after } else { &told.before };
    channels.iter().find(|channel| channel.subscribed).map(subscribers).unwrap_or_default()
}

fn proofs(told: &Told, look: Look) -> Table {
    let mut table = look.table(&["service", "rows", "of them masked", "digest of the view", "digest of a replay", ""]);
    for proof in &told.proofs {
        let short = |digest: &str| digest.chars().take(16).collect::<String>();
        table.add_row(vec![
            Cell::new(proof.service),
            Cell::new(proof.rows).set_alignment(CellAlignment::Right),
            Cell::new(proof.masked).set_alignment(CellAlignment::Right),
            Cell::new(short(&proof.view)),
            Cell::new(short(&proof.replay)),
            if proof.holds() { good("✓ equal") } else { bad("✗ DIFFERENT") },
        ]);
    }
    table
}

fn counts(told: &Told, out: &mut dyn Write) -> io::Result<()> {
    let counts = told.counts;
    writeln!(
        out,
        "   {} real conversations, {} commands ({} sent twice, taken once; {} rejected), {} rows, {:.1} s",
        told.story.conversations, counts.commands, counts.duplicates, counts.rejected, counts.rows, told.seconds
    )?;
    writeln!(out, "   Conversations: Schema-Guided Dialogue dataset, CC BY-SA 4.0 (crates/partyline/demo/NOTICE.md)")
}

fn next(told: &Told, out: &mut dyn Write) -> io::Result<()> {
    if !told.holds() {
        return writeln!(out, "\nA view differs from its replay. That must never happen: please report it.");
    }
    let me = program();
    let steps = [
        (format!("{me} --data play up"), "in one terminal: log, projector, views"),
        (format!("{me} demo --commands | {me} --data play publish"), "in another"),
        (format!("{me} --data play view inbox travel"), ""),
        (format!("{me} --data play view timeline travel {NUMBER} {CUSTOMER}"), ""),
        (format!("{me} --help"), "what else there is"),
        ("scripts/test".to_owned(), "all of this tested, on a real Kafka too"),
    ];
    writeln!(out, "\nNext: the same conversations on a log that stays, in ./play")?;
    for (command, about) in steps {
        let line = format!("   {command:<56} {about}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// How this program was called, if that is short enough to be typed again.
fn program() -> String {
    std::env::args().next().filter(|name| name.len() <= 20).unwrap_or_else(|| "partyline".to_owned())
}
