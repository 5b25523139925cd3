//! `partyline project`: the projector, on its own.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use partyline_projector::{Counts, Layout, Progress, Project, WorkError, member_id};

use super::{
    STEP, Signals, Stop,
    counting::End,
    supervise::{Health, patiently, supervise},
};
use crate::{
    cli::ProjectArgs,
    config::{Config, Log},
    exit::{Exit, say},
};

/// Runs a projector until it is told to stop, or until the end of the log.
///
/// # Errors
/// If the log or a store cannot be used.
pub fn project(args: &ProjectArgs, config: &Config) -> anyhow::Result<Exit> {
    let signals = Signals::listen()?;
    let log = config.connect()?;
    let mut end = match args.until_end {
        true => Some(patiently(&signals.stop, || End::of(&*log.backend, &log.backend.topics().commands))?),
        false => None,
    };
    let began = Instant::now();
    let (counts, finished) = work(config, &log, &signals.stop, end.as_mut())?;
    if !args.until_end {
        return Ok(Exit::Done);
    }
    report(counts, began.elapsed(), config.json)?;
    if !finished {
        say("partyline: stopped before the end of the log");
    }
    Ok(Exit::differs_if(!finished))
}

/// The projector's work on this thread, from its first life to its last. Says whether the end was reached.
pub(super) fn work(
    config: &Config,
    log: &Log,
    stop: &Stop,
    mut end: Option<&mut End>,
) -> anyhow::Result<(Counts, bool)> {
    let layout = config.layout();
    let _lock = lock(&layout)?;
    let member = member_id(&layout, || format!("partyline-{}", uuid::Uuid::new_v4()))?;
    let mut total = Counts::default();
    let finished = supervise(stop, Health::of("projector"), |health| {
        let mut project = Project::open(log.backend.clone(), &member, &layout, config.work.clone())?;
        match drive(&mut project, log, stop, end.as_deref_mut(), health) {
            Ok(finished) => {
                add(&mut total, project.close(Instant::now())?);
                Ok(finished)
            }
            Err(error) => {
                // What it had taken since its last commit is taken, and counted, again.
                add(&mut total, project.counts());
                Err(error)
            }
        }
    })?;
    Ok((total, finished.unwrap_or(false)))
}

fn drive(
    project: &mut Project,
    log: &Log,
    stop: &Stop,
    mut end: Option<&mut End>,
    health: &mut Health,
) -> Result<bool, WorkError> {
    while !stop.is_set() {
        let now = Instant::now();
        if project.step(now, STEP)? == Progress::Worked {
            health.works();
        }
        // Before that nobody has looked whether it may start at all.
        if let Some(end) = end.as_deref_mut()
            && project.has_joined()
            && end.is_reached_by_group(&*log.backend, project.positions(), now)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One projector a data directory: a second one would join the group under the same name and put the first one out.
fn lock(layout: &Layout) -> anyhow::Result<File> {
    fs::create_dir_all(layout.root()).with_context(|| layout.root().display().to_string())?;
    let path = layout.root().join("project.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            anyhow::bail!("IN_USE: another projector runs with the data directory {}", layout.root().display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn add(total: &mut Counts, life: Counts) {
    total.commands += life.commands;
    total.rejected += life.rejected;
    total.duplicates += life.duplicates;
    total.invalid += life.invalid;
    total.rows += life.rows;
    total.unrouted += life.unrouted;
}

fn report(counts: Counts, took: Duration, json: bool) -> io::Result<()> {
    let Counts { commands, rejected, duplicates, invalid, rows, unrouted } = counts;
    let seconds = took.as_secs_f64();
    let rate = commands as f64 / seconds.max(1e-3);
    say(format_args!(
        "{commands} commands ({rejected} rejected, {duplicates} duplicates, {invalid} invalid), {rows} rows \
         ({unrouted} unrouted) in {seconds:.3} s, {rate:.0} commands/s"
    ));
    if !json {
        return Ok(());
    }
    let line = serde_json::json!({
        "commands": commands,
        "rejected": rejected,
        "duplicates": duplicates,
        "invalid": invalid,
        "rows": rows,
        "unrouted": unrouted,
        "seconds": seconds,
        "commands_per_s": rate,
    });
    writeln!(io::stdout().lock(), "{line}")
}
