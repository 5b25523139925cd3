//! The projector from an empty store to the end of the log: the real binary, or its workers in this process.

use std::{
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use partyline_log::Backend as _;
use partyline_projector::{Layout, Project, Settings};

use crate::{
    args::{self, Log},
    cluster,
    figures::Figures,
    usage::{self, Ran},
};

/// How long a step waits for records.
const STEP: Duration = Duration::from_millis(100);

/// Measures it once; prints what the projector says of itself.
///
/// # Errors
/// If it fails.
pub fn catch_up(log: &Log, args: &args::CatchUp) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let data = args.data.as_deref().unwrap_or(scratch.path());
    if args.in_process {
        return in_process(log, data)?.print();
    }
    let Ran { stdout, took, usage } = usage::run(&mut project(log, &args.bin, data))?;
    print!("{stdout}");
    eprintln!("{:.3} s, {:.2} CPU s, peak {} MB", took.as_secs_f64(), usage.cpu_s, usage.peak_rss_bytes >> 20);
    Ok(())
}

/// The command that projects the whole log.
pub fn project(log: &Log, bin: &Path, data: &Path) -> Command {
    let mut command = Command::new(bin);
    command.args(["--json", "--log", &format!("kafka:{}", log.bootstrap), "--data"]).arg(data);
    command.args(["project", "--until-end"]).env("PARTYLINE_PREFIX", &log.prefix);
    command
}

fn in_process(log: &Log, data: &Path) -> anyhow::Result<Figures> {
    let began = Instant::now();
    let kafka = cluster::connect(log)?;
    let ends = kafka.bounds(&kafka.topics().commands)?;
    let backend: Arc<dyn partyline_log::Backend> = kafka;
    let mut project = Project::open(backend, "bench", &Layout::new(data), Settings::default())?;
    loop {
        let now = Instant::now();
        project.step(now, STEP)?;
        let mut held: Vec<_> = project.positions().collect();
        held.sort_unstable();
        let at_end = ends.iter().all(|of| held.iter().any(|(p, position)| *p == of.partition && *position >= of.end));
        if at_end {
            break;
        }
    }
    let counts = project.close(Instant::now()).context("closing")?;
    eprintln!("{counts:?}");
    Ok(Figures::new(counts.commands, counts.rows, began.elapsed()))
}
