//! What a process uses, as Linux tells in /proc.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

/// Linux counts CPU time for /proc in hundredths of a second on every platform.
const TICKS_PER_S: f64 = 100.0;
/// How often a running process is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time of all its threads, in seconds.
    pub cpu_s: f64,
    /// The most memory it had, in bytes; 0 once it has ended.
    pub peak_rss_bytes: u64,
    /// Whether it has ended.
    pub ended: bool,
}

/// A process that has run.
#[derive(Debug, Clone)]
pub struct Ran {
    /// What it wrote to stdout.
    pub stdout: String,
    /// From start to end.
    pub took: Duration,
    /// What it used.
    pub usage: Usage,
}

impl Usage {
    /// Of a process that runs, or has ended and was not waited for.
    ///
    /// # Errors
    /// If there is no such process, or no /proc.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The second field is the name in parentheses, and may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).context("/proc/PID/stat");
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        Ok(Self {
            cpu_s: (ticks(11)? + ticks(12)?) / TICKS_PER_S,
            peak_rss_bytes: peak.unwrap_or(0_u64) * 1024,
            ended: matches!(fields.first(), Some(&("Z" | "X"))),
        })
    }
}

/// Runs a process to its end and watches it. Its stdout must fit into a pipe.
///
/// # Errors
/// If it cannot be started, or fails.
pub fn run(command: &mut Command) -> anyhow::Result<Ran> {
    let began = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let child = child.with_context(|| format!("starting {}", command.get_program().display()))?;
    let usage = watch(&child)?;
    let took = began.elapsed();
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{} ended with {}", command.get_program().display(), output.status);
    Ok(Ran { stdout: String::from_utf8(output.stdout)?, took, usage })
}

/// Until it has ended: what is read of it then is exact but for its memory, which is gone.
fn watch(child: &Child) -> anyhow::Result<Usage> {
    let mut peak = 0;
    loop {
        let usage = Usage::of(child.id())?;
        peak = peak.max(usage.peak_rss_bytes);
        if usage.ended {
            return Ok(Usage { peak_rss_bytes: peak, ..usage });
        }
        thread::park_timeout(LOOK);
    }
}
