//! `partyline replay`: a service's view, built from the log into a scratch store.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use partyline_ledger::Service;
use partyline_log::{Backend, LogError};
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
    let bar = ProgressBar::new(spans.iter().map(|span| span.until).sum());
    bar.set_style(ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} commands, {per_sec}, {eta} left")?);
    let replaying = Replaying {
        backend: &log.backend,
        service: &args.service,
        settings: &config.work,
        bar: &bar,
        stop: &signals.stop,
    };
    let Some(summary) = replaying.run(&spans, scratch.path(), &place)? else {
        say("partyline: stopped before the end; nothing was kept");
        return Ok(Exit::Differs);
    };
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

/// What the threads have in common.
#[derive(Clone, Copy)]
struct Replaying<'a> {
    backend: &'a Arc<dyn Backend>,
    service: &'a Service,
    settings: &'a Settings,
    bar: &'a ProgressBar,
    stop: &'a Stop,
}

/// What a thread has to say.
enum Told {
    Rows(ReplayedRows),
    /// There is no more. Whether it has come to its end.
    Ended(anyhow::Result<bool>),
}

impl Replaying<'_> {
    /// Replays, each group of partitions on a thread of its own, and takes their rows on this one. `None` if it was
    /// stopped before the end.
    fn run(self, spans: &[ReplaySpan], scratch_dir: &Path, place: &Place) -> anyhow::Result<Option<ViewSummary>> {
        let groups = Groups::of(spans);
        let share = &groups.share(self.settings);
        let summary = thread::scope(|scope| {
            let (told, arriving) = sync_channel(WAITING_ROWS);
            for (group, spans) in groups.spans.iter().enumerate() {
                let (told, dir) = (told.clone(), scratch_dir.join("state").join(group.to_string()));
                scope.spawn(move || {
                    let opened = Replay::open(self.backend, self.service.clone(), spans, &dir, share.clone());
                    let (ended, replay) = match opened {
                        Ok(mut replay) => (self.fold(&mut replay, &told), Some(replay)),
                        Err(error) => (Err(error.into()), None),
                    };
                    // To let go of it takes longer than is to be waited for. After a failure nobody receives.
                    let _ = told.send(Told::Ended(ended));
                    drop((told, replay));
                });
            }
            drop(told);
            let summary = self.gather(&arriving, groups.spans.len(), place);
            // After a failure the others go no further.
            self.stop.set();
            drop(arriving);
            summary
        })?;
        self.bar.finish_and_clear();
        Ok(summary)
    }

    /// Takes the rows of so many threads until they have ended, and finishes the view.
    fn gather(
        self,
        arriving: &Receiver<Told>,
        mut running: usize,
        place: &Place,
    ) -> anyhow::Result<Option<ViewSummary>> {
        let kept = place.remove;
        let mut view = ReplayedView::open(self.backend, self.service, place.dir(), kept, self.settings.clone())?;
        while running > 0 {
            match arriving.recv().context("a thread ended before its partitions did")? {
                Told::Rows(rows) => view.take(rows)?,
                Told::Ended(came_to_end) => {
                    if !came_to_end? {
                        return Ok(None);
                    }
                    running -= 1;
                    // It leaves a core, for what would be left to the end otherwise.
                    if running > 0 {
                        view.write()?;
                    }
                }
            }
        }
        Ok(Some(view.finish()?))
    }

    /// Replays some partitions to their end, or until it is told to stop; says whether it came to their end.
    fn fold(self, replay: &mut Replay, told: &SyncSender<Told>) -> anyhow::Result<bool> {
        while !replay.is_done() && !self.stop.is_set() {
            let before = replay.left();
            replay.step(STEP, &mut |rows| {
                let _ = told.send(Told::Rows(rows));
                Ok(())
            })?;
            self.bar.inc(before - replay.left());
        }
        Ok(replay.is_done())
    }
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
