//! `partyline demo`: the whole way in one process, on a throw-away embedded log.
//!
//! - [`story`]: what happens, as JSON commands made from the shipped conversations.
//! - [`stage`]: the log, the projector, a view for each service, and replays: the workers that `up` runs.
//! - [`scene`]: one conversation as each service sees it, put side by side from the services' own rows.
//! - [mod@print]: what a person reads; [`facts`]: the same as JSON lines.

mod facts;
mod print;
mod scene;
pub mod stage;
mod story;

#[cfg(test)]
mod tests;

use std::{
    io::{self, BufWriter, Write},
    time::Instant,
};

use partyline_projector::{Counts, Query};

use self::{
    scene::{Scene, channel},
    stage::Stage,
    story::{SERVICES, Story},
};
use crate::{
    config::Config,
    exit::Exit,
    show::{
        self,
        row::{self, Channel, Entry},
        table::Look,
    },
};

/// What `demo` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Only print the demo's commands as JSON lines, as `publish` takes them
    #[arg(long)]
    pub commands: bool,
}

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

impl Told {
    /// Whether every view equals its replay.
    fn holds(&self) -> bool {
        self.proofs.iter().all(Proof::holds)
    }
}

impl Proof {
    fn holds(&self) -> bool {
        self.view == self.replay
    }
}

/// Plays the demo on standard output. [`Exit::Differs`] if a view does not equal its replay.
///
/// # Errors
/// If the throw-away log or a store fails, or nobody reads the output.
pub fn run(args: DemoArgs, config: &Config) -> anyhow::Result<Exit> {
    let story = Story::from_sample()?;
    let mut out = BufWriter::new(io::stdout().lock());
    if args.commands {
        for line in story.until_the_parent_leaves.iter().chain(&story.afterwards) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        return Ok(Exit::Done);
    }
    let told = play(story)?;
    if config.json {
        facts::print(&told, &mut out)?
    } else {
        print::print(&told, Look::of_stdout(), &mut out)?
    }
    out.flush()?;
    Ok(Exit::differs_if(!told.holds()))
}

fn play(story: Story) -> anyhow::Result<Told> {
    let begun = Instant::now();
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
        masked += u64::from(row::read::<Entry>(value, "entry").is_some_and(|entry| entry.is_masked()));
        Ok(())
    })?;
    let view = show::summary(&mut |query: &Query| stage.ask(service, query))?;
    let replay = stage.replay(service)?;
    Ok(Proof { service, rows: view.rows, masked, view: view.digest, replay: replay.digest })
}
