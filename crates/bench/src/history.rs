//! A service joins a number with a long history: how fast it is told, and what that does to others meanwhile.

use std::{
    slice,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::anyhow;
use partyline_log::kafka::Kafka;
use partyline_wire::partition_of;
use serde::Serialize;

use crate::{
    args::{self, Setup},
    cluster,
    figures::Broker,
    latency::{Clock, Flow, Pace, Percentiles, Seen, Watch},
    load,
    worker::Worker,
    workload::{Join, Key, Probe, READER, Source as _, subscribe},
};

/// The number with the history.
const NUMBER: &str = "+4930200001";
/// Who joins it.
const JOINS: &str = "crm";
/// So many numbers are elsewhere, and each has so many conversations.
const OTHERS: u32 = 56;
const CONVERSATIONS: u64 = 100;
/// The first of the time before is not counted.
const WARM_UP_US: u64 = 1_000_000;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Told {
    /// Entries of the number.
    pub entries: u64,
    /// From the command's sending to the last row.
    pub seconds: f64,
    /// From the command's sending to the first row.
    pub first_row_s: f64,
    /// Entries a second.
    pub rows_per_s: f64,
    /// The most memory the projector had, in bytes.
    pub peak_rss_bytes: u64,
    /// CPU of the projector from start to end, in seconds.
    pub cpu_s: f64,
    /// CPU of the broker meanwhile, in seconds.
    pub broker_cpu_s: Option<f64>,
    /// Commands a second on other partitions.
    pub rate: u32,
    /// Their latency before.
    pub before: Percentiles,
    /// Their latency meanwhile.
    pub meanwhile: Percentiles,
}

/// Measures it once, on a new log.
///
/// # Errors
/// If it fails.
pub fn history(setup: &Setup, args: &args::History) -> anyhow::Result<Told> {
    let kafka = cluster::connect(setup)?;
    cluster::create_topics(&kafka, args.partitions)?;
    let others = fill(setup, &kafka, args)?;
    let data = tempfile::tempdir()?;
    let mut worker = Worker::start(setup, data.path())?;
    worker.catch_up(setup, &kafka)?;
    // A projector that has been running: its memory is what it is afterwards, not what the catch-up took.
    worker.stop()?;
    let broker = Broker::of(setup)?;
    let mut worker = Worker::start(setup, data.path())?;
    let (clock, flow, over) = (Clock::start(), Flow::default(), AtomicBool::new(false));
    let watch = Watch::open(setup, &kafka, READER)?;
    let pace = Pace::new(setup, &kafka, clock)?;
    let mut probe = Probe::new(others, CONVERSATIONS);
    pace.send_now(&mut probe, &flow)?;
    let began = watch.wait(clock)?.came;
    flow.seen.fetch_add(1, Ordering::AcqRel);

    let (sent, rows, joined) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch.run(clock, &flow));
        let sending = scope.spawn(|| {
            let sent = pace.run(args.rate, &mut probe, &flow, |_| over.load(Ordering::Acquire));
            flow.end(sent.is_err());
            sent
        });
        let joined = join(setup, &kafka, args, clock, &pace, &flow);
        over.store(true, Ordering::Release);
        let sent = sending.join().map_err(|_| anyhow!("the sender panicked"))?;
        let rows = watching.join().map_err(|_| anyhow!("the reader panicked"))?;
        anyhow::Ok((sent?, rows?, joined?))
    })?;
    anyhow::ensure!(flow.missing() == 0, "{} rows did not come", flow.missing());
    let usage = worker.usage()?;
    worker.stop()?;

    let Joined { at, first, last } = joined;
    let seconds = (last - at) as f64 / 1e6;
    Ok(Told {
        entries: args.entries,
        seconds,
        first_row_s: (first - at) as f64 / 1e6,
        rows_per_s: args.entries as f64 / seconds,
        peak_rss_bytes: usage.peak_rss_bytes,
        cpu_s: usage.cpu_s,
        broker_cpu_s: broker.cpu_s()?,
        rate: args.rate,
        before: Seen::new(&rows, sent.began.max(began) + WARM_UP_US, at).percentiles()?,
        meanwhile: Seen::new(&rows, at, last).percentiles()?,
    })
}

/// Makes the history; which numbers are elsewhere.
fn fill(setup: &Setup, kafka: &Kafka, args: &args::History) -> anyhow::Result<Vec<Key>> {
    let number: Key = NUMBER.into();
    let partition = |number: &Key| partition_of(number.as_bytes(), args.partitions);
    let names = (0..OTHERS * args.partitions).map(|ix| Key::from(format!("+49303{ix:06}")));
    let others: Vec<Key> = names.filter(|name| partition(name) != partition(&number)).take(OTHERS as usize).collect();
    let mut joining = [others.as_slice(), slice::from_ref(&number)].concat().into_iter();
    load::fill(setup, kafka, others.len() as u64 + 1, |value| {
        joining.next().map(|number| subscribe(&number, READER, value)).unwrap_or_default()
    })?;
    let mut history = Probe::new(vec![number], args.conversations);
    load::fill(setup, kafka, args.entries, |value| history.next_at(0, value).key)?;
    Ok(others)
}

/// When the service joined, and when its first and last entry came.
struct Joined {
    at: u64,
    first: u64,
    last: u64,
}

fn join(
    setup: &Setup,
    kafka: &Kafka,
    args: &args::History,
    clock: Clock,
    pace: &Pace,
    flow: &Flow,
) -> anyhow::Result<Joined> {
    let watch = Watch::open(setup, kafka, JOINS)?;
    thread::park_timeout(Duration::from_secs(u64::from(args.seconds)));
    let at = clock.now();
    // By a producer that is connected: what it takes to become so is no part of the history.
    pace.send(at, &mut Join { number: NUMBER.into(), service: JOINS }, flow, &mut Vec::new())?;
    let (first, last) = watch.count(clock, b"entry/", args.entries)?;
    Ok(Joined { at, first, last })
}
