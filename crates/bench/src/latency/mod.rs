//! From the time at which a command should be sent to a read-committed reader of its row. An open loop: commands are
//! due at a fixed rate whatever becomes of them, and a command that goes out late has waited already (corrected for
//! coordinated omission).
//!
//! - [`Clock`]: the times that messages carry. `stamp` finds them in rows again.
//! - [`Pace`]: sends what is due. [`Watch`]: reads one view topic and notes what came when.
//! - [`Seen`]: percentiles of that, and whether the rate was kept up.

mod clock;
mod pace;
mod seen;
mod stamp;
mod watch;

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use anyhow::anyhow;
use serde::Serialize;

use crate::{
    args::{self, Setup},
    cluster,
    figures::Broker,
    load,
    worker::Worker,
    workload::{READER, Workload, texts},
};

pub use clock::Clock;
pub use pace::Pace;
pub use seen::{Percentiles, Seen};
pub use watch::Watch;

/// What an open loop found.
#[derive(Debug, Serialize)]
pub struct Loop {
    /// Commands a second, as asked for.
    pub rate: u32,
    /// Commands that were sent while it was measured.
    pub commands: u64,
    /// How long it was measured.
    pub seconds: f64,
    /// From the scheduled time to the row.
    #[serde(flatten)]
    pub latency: Percentiles,
    /// Whether the rows kept up with the commands.
    pub sustained: bool,
    /// By which part of the rate the lag grew.
    pub lag_growth: f64,
    /// Rows that were waited for and did not come.
    pub missing: u64,
    /// The longest that a command went out after it was due.
    pub late_ms: f64,
    /// CPU of the projector, warm-up included, in seconds.
    pub cpu_s: f64,
    /// CPU of the broker meanwhile, in seconds.
    pub broker_cpu_s: Option<f64>,
    /// The most memory the projector had, in bytes.
    pub peak_rss_bytes: u64,
}

/// Measures one rate on a new log.
///
/// # Errors
/// If it fails.
pub fn latency(setup: &Setup, args: &args::Latency) -> anyhow::Result<Loop> {
    let kafka = cluster::connect(setup)?;
    cluster::create_topics(&kafka, args.mix.partitions)?;
    let mut workload = Workload::new(&args.mix, texts()?);
    load::fill(setup, &kafka, workload.opening(), |value| workload.next(value))?;
    let data = tempfile::tempdir()?;
    let mut worker = Worker::start(setup, data.path())?;
    worker.catch_up(setup, &kafka)?;

    let clock = Clock::start();
    let flow = Flow::default();
    let watch = Watch::open(setup, &kafka, READER)?;
    let pace = Pace::new(setup, &kafka, clock)?;
    let (broker, before) = (Broker::of(setup)?, worker.usage()?);
    let count = u64::from(args.rate) * u64::from(args.warm_up + args.seconds);
    let (sent, rows) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch.run(clock, &flow));
        let sent = pace.run(args.rate, &mut workload, &flow, |sent| sent >= count);
        flow.end(sent.is_err());
        let rows = watching.join().map_err(|_| anyhow!("the reader panicked"))?;
        anyhow::Ok((sent?, rows?))
    })?;
    let usage = worker.usage()?;
    worker.stop()?;

    let from = sent.began + u64::from(args.warm_up) * 1_000_000;
    let seen = Seen::new(&rows, from, sent.ended);
    let missing = flow.missing();
    let lag_growth = seen.lag_growth();
    let seconds = (sent.ended - from) as f64 / 1e6;
    Ok(Loop {
        rate: args.rate,
        commands: u64::from(args.rate) * u64::from(args.seconds),
        seconds,
        latency: seen.percentiles()?,
        sustained: missing == 0 && lag_growth * seconds < NOISE_S,
        lag_growth,
        missing,
        late_ms: sent.late_us as f64 / 1e3,
        cpu_s: usage.cpu_s - before.cpu_s,
        broker_cpu_s: broker.cpu_s()?,
        peak_rss_bytes: usage.peak_rss_bytes,
    })
}

/// A lag that grew by fewer commands than are due in this time is noise: rows come in bursts.
const NOISE_S: f64 = 0.5;

/// What sender and reader tell each other.
#[derive(Default)]
pub struct Flow {
    /// Commands that bring the reader a row.
    pub sent: AtomicU64,
    /// Rows that came.
    pub seen: AtomicU64,
    over: AtomicBool,
    failed: AtomicBool,
}

impl Flow {
    /// No more will be sent; after a failure no more is waited for.
    pub fn end(&self, failed: bool) {
        self.failed.store(failed, Ordering::Release);
        self.over.store(true, Ordering::Release);
    }

    /// Rows that did not come.
    pub fn missing(&self) -> u64 {
        self.sent.load(Ordering::Acquire).saturating_sub(self.seen.load(Ordering::Acquire))
    }

    /// Whether everything was sent and has come.
    pub fn is_done(&self) -> bool {
        self.over.load(Ordering::Acquire) && (self.missing() == 0 || self.failed.load(Ordering::Acquire))
    }
}
