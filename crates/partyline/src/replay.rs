//! `partyline replay`: a service's view, built from the log into a scratch store.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use partyline_projector::{Layout, Replay, ViewSummary};

use crate::{
    cli::ReplayArgs,
    config::Config,
    exit::{Exit, Usage, say},
    run::{Signals, Stop},
};

/// More is waited for so long before it looks whether it should stop.
const STEP: Duration = Duration::from_millis(100);

/// Replays, and prints what the view amounts to.
///
/// # Errors
/// If the log or a store cannot be used.
pub fn run(args: &ReplayArgs, config: &Config) -> anyhow::Result<Exit> {
    let signals = Signals::listen()?;
    let scratch = tempfile::Builder::new().prefix("partyline-replay").tempdir().context("a scratch directory")?;
    let place = Place::of(args, scratch.path())?;
    let log = config.connect_existing()?;
    let dirs = (scratch.path().join("state"), place.dir().to_owned());
    let mut replay = Replay::open(
        &log.backend,
        args.service.clone(),
        &args.to_offset,
        (dirs.0.as_path(), dirs.1.as_path()),
        config.work.clone(),
    )?;
    if !drive(&mut replay, &signals.stop)? {
        drop(replay);
        say("partyline: stopped before the end; nothing was kept");
        return Ok(Exit::Differs);
    }
    let summary = replay.finish()?;
    place.keep();
    print(&summary, config.json)?;
    Ok(Exit::Done)
}

/// Whether it came to its end.
fn drive(replay: &mut Replay, stop: &Stop) -> anyhow::Result<bool> {
    let bar = ProgressBar::new(replay.progress().1);
    bar.set_style(ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} commands, {per_sec}, {eta} left")?);
    while !replay.is_done() {
        if stop.is_set() {
            return Ok(false);
        }
        replay.step(STEP)?;
        bar.set_position(replay.progress().0);
    }
    bar.finish_and_clear();
    Ok(true)
}

fn print(summary: &ViewSummary, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let ViewSummary { digest, rows, positions } = summary;
    if json {
        let positions: Vec<_> = positions
            .iter()
            .map(|p| serde_json::json!({ "partition": p.partition, "next_offset": p.next_offset, "at_ms": p.at_ms }))
            .collect();
        return writeln!(out, "{}", serde_json::json!({ "digest": digest, "rows": rows, "positions": positions }));
    }
    writeln!(out, "digest {digest}")?;
    writeln!(out, "rows   {rows}")?;
    for position in positions {
        writeln!(out, "partition {}: up to offset {}", position.partition, position.next_offset)?;
    }
    Ok(())
}

/// Where the view is built. One that is to be kept is removed again unless it was finished.
struct Place {
    dir: PathBuf,
    remove: bool,
}

impl Place {
    fn of(args: &ReplayArgs, scratch: &Path) -> anyhow::Result<Self> {
        let Some(keep) = &args.keep else { return Ok(Self { dir: scratch.join("view"), remove: false }) };
        let dir = Layout::new(keep).view_store(args.service.as_str());
        // What is there, the live view perhaps, would be mixed with what is replayed.
        if dir.exists() {
            return Err(Usage(format!("--keep: there is a view in {} already; remove it first", dir.display())).into());
        }
        Ok(Self { dir, remove: true })
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn keep(mut self) {
        self.remove = false;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.remove {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}
