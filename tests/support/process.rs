//! The real binary as a process of its own: started, killed, asked to stop.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::rig::PATIENCE;

/// The binary: `PARTYLINE_TEST_BIN`, or the one beside the tests.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("PARTYLINE_TEST_BIN") {
        return path.into();
    }
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join("partyline");
    assert!(path.exists(), "{} is missing: cargo build --release --bin partyline", path.display());
    path
}

/// A running `partyline`.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts it; what it says goes to `log`, which is appended to.
    pub fn start(args: &[&str], env: &[(&str, &str)], log: &Path) -> Self {
        let out = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = Command::new(binary())
            .args(args)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        Self { child, log: log.to_owned() }
    }

    /// Whether it ended within the time.
    pub fn ended_within(&mut self, time: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + time;
        let (_hold, ticks) = mpsc::channel::<()>();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let _ = ticks.recv_timeout(left.min(Duration::from_millis(5)));
        }
    }

    /// Lets it run for a time, then SIGKILL. It must not have ended by itself.
    pub fn kill_after(mut self, time: Duration) {
        if let Some(status) = self.ended_within(time) {
            panic!("ended with {status} by itself:\n{}", self.said());
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; how it ended, and after which time.
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        let status = self.ended_within(PATIENCE).unwrap_or_else(|| panic!("did not stop:\n{}", self.said()));
        (status, begun.elapsed())
    }

    /// Waits until it ends by itself, well.
    pub fn succeeds(mut self) {
        let status = self.ended_within(PATIENCE).unwrap_or_else(|| panic!("did not end:\n{}", self.said()));
        assert!(status.success(), "ended with {status}:\n{}", self.said());
    }

    /// Resident memory at its highest so far, bytes.
    pub fn peak_rss_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kb| kb * 1024)
    }

    /// What it said.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs it to its end.
pub fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(binary()).args(args).envs(env.iter().copied()).stdin(Stdio::null()).output().unwrap()
}

/// A Kafka of the test's own, that it may stop and start.
pub struct Broker {
    dir: tempfile::TempDir,
    /// HOST:PORT.
    pub bootstrap: String,
}

impl Broker {
    /// Starts one.
    pub fn start() -> Self {
        let dir = tempfile::TempDir::new().unwrap();
        let bootstrap = script("start", dir.path());
        Self { dir, bootstrap }
    }

    /// Stops it and starts it again, with its data and port; something may be done while it is away.
    pub fn restart(&self, meanwhile: impl FnOnce()) {
        script("stop", self.dir.path());
        meanwhile();
        assert_eq!(script("start", self.dir.path()), self.bootstrap);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        script("stop", self.dir.path());
    }
}

fn script(verb: &str, data: &Path) -> String {
    let script =
        std::env::var("PARTYLINE_KAFKA").unwrap_or_else(|_| format!("{}/../scripts/kafka", env!("CARGO_MANIFEST_DIR")));
    let output = Command::new(&script).arg(verb).arg("--data").arg(data).output().unwrap();
    assert!(output.status.success(), "{script} {verb}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
