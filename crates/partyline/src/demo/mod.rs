//! `partyline demo`: the whole way in one process, on a throw-away embedded log.
//!
//! - [`story`]: what happens, as JSON commands made from the shipped conversations.
//! - [`stage`]: the log, the projector, a view for each service, and replays: the workers that `up` runs.
//! - [`scene`]: one conversation as each service sees it, put side by side from the services' own rows.
//! - [`print`]: what a person reads; [`facts`]: the same as JSON lines.

mod facts;
mod print;
mod scene;
mod stage;
mod story;

#[cfg(test)]
mod tests;

use std::{io::Write, time::Instant};

use partyline_projector::{Counts, Query};

use self::{
    scene::{Scene, channel},
    stage::Stage,
    story::{SERVICES, Story},
};
use crate::show::{row::Channel, table::Look};

/// What `demo` takes: nothing.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {}

/// What the demo found out, all of it read back from the services' views.
struct Told {
    story: Story,
    /// Each service's channel row before the parent left, in the order of [`SERVICES`].
    before: Vec<Channel>,
    /// The same at the end.
    after: Vec<Channel>,
    scene: Scene,
    proofs: Vec<Proof>,
    counts: Counts,
    seconds: f64,
}

/// A view fed from its topic, and a replay of the log.
struct Proof {
    service: &'static str,
    rows: u64,
    masked: u64,
    view: String,
    replay: String,
}

impl Proof {
    fn holds(&self) -> bool {
        self.view == self.replay
    }
}

/// Plays the demo and prints it to `out`. Says whether every view equals its replay.
///
/// # Errors
/// If the throw-away log or a store fails, or `out` is closed.
pub fn run(_args: &DemoArgs, json: bool, look: Look, out: &mut dyn Write) -> anyhow::Result<bool> {
    let told = play()?;
    if json { facts::print(&told, out)? } else { print::print(&told, look, out)? }
    Ok(told.proofs.iter().all(Proof::holds))
}

fn play() -> anyhow::Result<Told> {
    let begun = Instant::now();
    let story = Story::from_sample()?;
    let mut stage = Stage::open(&SERVICES)?;
    stage.play(&story.until_the_parent_leaves)?;
    let before = channels(&mut stage)?;
    stage.play(&story.afterwards)?;
    let after = channels(&mut stage)?;
    let scene = Scene::read(&mut stage)?;
    let proofs = SERVICES.iter().map(|service| prove(&mut stage, service)).collect::<Result<_, _>>()?;
    let counts = stage.close()?;
    Ok(Told { story, before, after, scene, proofs, counts, seconds: begun.elapsed().as_secs_f64() })
}

fn channels(stage: &mut Stage) -> anyhow::Result<Vec<Channel>> {
    SERVICES.iter().map(|service| channel(stage, service)).collect()
}

fn prove(stage: &mut Stage, service: &'static str) -> anyhow::Result<Proof> {
    let mut masked = 0;
    stage.each_row(service, "entry/", &mut |_, value| {
        let entry = crate::show::row::read::<crate::show::row::Entry>(value, "entry");
        masked += u64::from(entry.is_some_and(|entry| entry.is_masked()));
        Ok(())
    })?;
    let view = crate::show::summary(&mut |query: &Query| stage.ask(service, query))?;
    let replay = stage.replay(service)?;
    Ok(Proof { service, rows: view.rows, masked, view: view.digest, replay: replay.digest })
}
