//! One conversation as each service sees it. Everything here is read from the services' own rows; they are put side by
//! side by the command that caused them.

use std::collections::BTreeMap;

use anyhow::Context;
use partyline_wire::row_to_json;

use super::{
    stage::Stage,
    story::{CUSTOMER, NUMBER, SERVICES},
};
use crate::show::{
    content,
    row::{self, Channel, Entry, Rejection, Warning},
    table::who,
};

/// What happened, in order.
pub struct Scene {
    /// Each with what every service saw of it.
    pub moments: Vec<Moment>,
}

/// Something that at least one service was told.
pub struct Moment {
    /// What kind of thing.
    pub what: What,
    /// What each service saw, in the order of [`SERVICES`].
    pub seen: Vec<Seen>,
}

/// What kind of thing happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A message or a reply.
    Entry { seq: u64, who: String },
    /// A warning.
    Warning(String),
    /// A command that a rule forbade.
    Rejection(String),
    /// The channel changed.
    Channel,
}

/// What a service saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Seen {
    /// It was told nothing.
    #[default]
    Nothing,
    /// That there is something, which it must not read.
    Masked,
    /// This.
    Text(String),
}

/// In order: the offset of the command that caused it, then as one command's rows are ordered.
type Moments = BTreeMap<(u64, What), Vec<Seen>>;

impl Scene {
    /// Reads what every service sees of the conversation.
    pub fn read(stage: &mut Stage) -> anyhow::Result<Self> {
        let mut moments = Moments::new();
        for at in 0..SERVICES.len() {
            for prefix in ["entry", "warning"] {
                read(stage, at, &format!("{prefix}/{NUMBER}/{CUSTOMER}/"), &mut moments)?;
            }
            read(stage, at, &format!("rejection/{NUMBER}/"), &mut moments)?;
            read(stage, at, &format!("channel/{NUMBER}"), &mut moments)?;
        }
        Ok(Self { moments: moments.into_iter().map(|((_, what), seen)| Moment { what, seen }).collect() })
    }
}

/// Reads the rows of one service.
fn read(stage: &mut Stage, at: usize, prefix: &str, moments: &mut Moments) -> anyhow::Result<()> {
    let Some(service) = SERVICES.get(at) else { return Ok(()) };
    stage.each_row(service, prefix, &mut |_, value| {
        let cause = row_to_json(value).and_then(|row| row.get("cause")?.get("offset")?.as_u64()).unwrap_or_default();
        let Some((what, seen)) = moment(service, value) else { return Ok(()) };
        let all = moments.entry((cause, what)).or_insert_with(|| vec![Seen::default(); SERVICES.len()]);
        if let Some(place) = all.get_mut(at) {
            *place = seen;
        }
        Ok(())
    })
}

fn moment(service: &str, value: &[u8]) -> Option<(What, Seen)> {
    if let Some(entry) = row::read::<Entry>(value, "entry") {
        let what = What::Entry { seq: entry.seq, who: who(entry.author.as_ref()) };
        let seen = if entry.is_masked() { Seen::Masked } else { Seen::Text(content::text(&entry.content)) };
        return Some((what, seen));
    }
    if let Some(warning) = row::read::<Warning>(value, "warning") {
        return Some((What::Warning(warning.kind.clone()), Seen::Text(words(&warning))));
    }
    if let Some(rejection) = row::read::<Rejection>(value, "rejection") {
        let seen = format!("its bot was stopped: {}", rejection.reason);
        return Some((What::Rejection(rejection.reason), Seen::Text(seen)));
    }
    let channel = row::read::<Channel>(value, "channel")?;
    let seen =
        if channel.subscribed { format!("{} is the parent now", channel.parent) } else { format!("{service} left") };
    Some((What::Channel, Seen::Text(seen)))
}

/// A warning in a few words; whose agents they are, the conversation says.
fn words(warning: &Warning) -> String {
    let (by, holder) = (&warning.by.agent, warning.holder.as_ref().map_or("nobody", |holder| &holder.agent));
    match warning.kind.as_str() {
        "TAKEN_OVER" => format!("{by} took it over from {holder}"),
        "REPLY_OVER_PICKUP" => format!("{by} wrote while {holder} has it in hand"),
        other => format!("{other} by {by}"),
    }
}

/// A service's channel row.
pub fn channel(stage: &mut Stage, service: &str) -> anyhow::Result<Channel> {
    let mut found = None;
    stage.each_row(service, &format!("channel/{NUMBER}"), &mut |_, value| {
        found = row::read::<Channel>(value, "channel");
        Ok(())
    })?;
    found.with_context(|| format!("{service} has no channel row"))
}
