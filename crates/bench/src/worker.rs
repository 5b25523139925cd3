//! The measured binary as a process of its own: run to its end, or started, stopped and killed.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use partyline_log::kafka::Kafka;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    args::Setup,
    lag::{Lag, PATIENCE},
    usage::Usage,
};

/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// `du` counts in blocks of this size, whatever the file system's are.
const BLOCK_BYTES: u64 = 512;

/// The binary on the log of this setup, with its stores in `data`; the verb is still to be added.
pub fn partyline(setup: &Setup, data: &Path) -> Command {
    partyline_on(&format!("kafka:{}", setup.bootstrap), setup, data)
}

/// The same on any log.
pub fn partyline_on(log: &str, setup: &Setup, data: &Path) -> Command {
    let mut command = Command::new(&setup.bin);
    command.args(["--json", "-q", "--log", log, "--data"]).arg(data).env("PARTYLINE_PREFIX", &setup.prefix);
    command
}

/// A projector that runs until it is stopped; killed when it is dropped.
pub struct Worker {
    child: Child,
}

impl Worker {
    /// Starts it.
    ///
    /// # Errors
    /// If there is no such binary.
    pub fn start(setup: &Setup, data: &Path) -> anyhow::Result<Self> {
        let child = partyline(setup, data).arg("project").stdin(Stdio::null()).spawn();
        Ok(Self { child: child.with_context(|| setup.bin.display().to_string())? })
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// If it has ended.
    pub fn usage(&mut self) -> anyhow::Result<Usage> {
        self.ensure_runs()?;
        Usage::of(self.child.id())
    }

    /// # Errors
    /// If it has ended.
    pub fn ensure_runs(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the projector ended with {status}"),
        }
    }

    /// SIGTERM; how long it takes to end.
    ///
    /// # Errors
    /// If it does not end well.
    pub fn stop(mut self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("no process id")?;
        kill_process(pid, Signal::TERM)?;
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the projector ended with {status}");
                return Ok(began.elapsed());
            }
            ensure!(began.elapsed() < PATIENCE, "the projector does not stop");
            thread::park_timeout(LOOK);
        }
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Waits until the group has committed everything that is in the log.
    ///
    /// # Errors
    /// If it ends, or stands still.
    pub fn catch_up(&mut self, setup: &Setup, kafka: &Kafka) -> anyhow::Result<()> {
        Lag::of(setup, kafka)?.wait(|| self.ensure_runs().map(|()| true)).map(drop)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has ended already if it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a directory takes on the disk, in bytes.
///
/// # Errors
/// If it cannot be read.
pub fn disk_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { disk_bytes(&entry.path())? } else { metadata.blocks() * BLOCK_BYTES };
    }
    Ok(bytes)
}
