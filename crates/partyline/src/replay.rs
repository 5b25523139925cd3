//! `partyline replay`: a service's view, built from the log into a scratch store.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::mpsc::{SyncSender, sync_channel},
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use partyline_log::LogError;
use partyline_projector::{
    Layout, Replay, ReplaySpan, ReplayedRows, ReplayedView, Settings, ViewSummary, WorkError, replay_spans,
};

use crate::{
    cli::ReplayArgs,
    config::Config,
    exit::{Exit, Usage, say},
    run::{Signals, Stop},
};

/// So many pieces, of a megabyte each, may wait to be put into the view.
const WAITING_ROWS: usize = 16;
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
    let mut partitions = BTreeSet::new();
    if let Some(twice) = args.to_offset.iter().find(|span| !partitions.insert(span.partition)) {
        return Err(Usage(format!("--to-offset: partition {} is there twice", twice.partition)).into());
    }
    let log = config.connect_existing()?;
    let spans = replay_spans(&log.backend, &args.to_offset).map_err(|error| match error {
        WorkError::Log(LogError::OutOfRange(problem)) => Usage(format!("--to-offset: {problem}")).into(),
        error => anyhow::Error::from(error),
    })?;
    let mut view =
        ReplayedView::open(&log.backend, &args.service, place.dir(), args.keep.is_some(), config.work.clone())?;
    let groups = Groups::of(&spans);
    let replays = groups.spans.iter().enumerate().map(|(group, spans)| {
        let scratch = scratch.path().join("state").join(group.to_string());
        Replay::open(&log.backend, args.service.clone(), spans, &scratch, groups.share(&config.work))
    });
    let replays = replays.collect::<Result<Vec<_>, _>>()?;
    if !drive(replays, &mut view, &signals.stop)? {
        drop(view);
        say("partyline: stopped before the end; nothing was kept");
        return Ok(Exit::Differs);
    }
    let summary = view.finish()?;
    place.keep();
    print(&summary, config.json)?;
    Ok(Exit::Done)
}

/// The partitions, parted among threads.
struct Groups {
    spans: Vec<Vec<ReplaySpan>>,
}

impl Groups {
    /// About as many commands for each thread: the longest partitions are dealt out first.
    fn of(spans: &[ReplaySpan]) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(spans.len().max(1));
        let mut groups = vec![(0_u64, Vec::new()); threads];
        let mut longest_first = spans.to_vec();
        longest_first.sort_by_key(|span| std::cmp::Reverse(span.until));
        for span in longest_first {
            if let Some((sum, group)) = groups.iter_mut().min_by_key(|(sum, _)| *sum) {
                *sum += span.until;
                group.push(span);
            }
        }
        Self { spans: groups.into_iter().map(|(_, group)| group).collect() }
    }

    /// The memory of each.
    fn share(&self, all: &Settings) -> Settings {
        let threads = self.spans.len().max(1);
        Settings {
            dirty_bytes: all.dirty_bytes / threads,
            cache_bytes: all.cache_bytes / threads,
            sled_cache_bytes: all.sled_cache_bytes / threads as u64,
            ..all.clone()
        }
    }
}

/// Runs the replays, each on a thread of its own, and takes their rows on this one. Says whether they came to their end.
fn drive(replays: Vec<Replay>, view: &mut ReplayedView, stop: &Stop) -> anyhow::Result<bool> {
    let bar = ProgressBar::new(replays.iter().map(Replay::left).sum());
    bar.set_style(ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} commands, {per_sec}, {eta} left")?);
    let (rows, arriving) = sync_channel(WAITING_ROWS);
    let finished = thread::scope(|scope| {
        let threads: Vec<_> = replays
            .into_iter()
            .map(|replay| {
                let (rows, bar) = (rows.clone(), &bar);
                scope.spawn(move || one(replay, stop, bar, &rows))
            })
            .collect();
        drop(rows);
        let (mut taken, mut running) = (Ok(()), threads.len());
        // After a failure the rest is received all the same, so that nobody waits.
        for mut some in arriving {
            let still_running = threads.iter().filter(|thread| !thread.is_finished()).count();
            if taken.is_ok() {
                taken = view.take(&mut some);
            }
            // One that has ended leaves a core, for what would be left to the end otherwise.
            if taken.is_ok() && still_running < running {
                taken = view.write();
            }
            running = still_running;
        }
        let ended = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?);
        let finished = ended.collect::<anyhow::Result<Vec<bool>>>()?;
        taken?;
        anyhow::Ok(finished.into_iter().all(|finished| finished))
    })?;
    bar.finish_and_clear();
    Ok(finished)
}

/// One replay, to its end or until it is told to stop.
fn one(mut replay: Replay, stop: &Stop, bar: &ProgressBar, rows: &SyncSender<ReplayedRows>) -> anyhow::Result<bool> {
    while !replay.is_done() {
        if stop.is_set() {
            return Ok(false);
        }
        let before = replay.left();
        replay.step(STEP, &mut |some| {
            // The receiver ends after the senders.
            let _ = rows.send(some.take());
            Ok(())
        })?;
        bar.inc(before - replay.left());
    }
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
