//! The benchmark: how fast commands become rows on a real Kafka, beside what the Kafka client can do at all.
//!
//! - [`workload`]: seeded commands with real texts; [`load`] writes them to a log.
//! - [`read`]: a bare read of a topic. [`limit`]: read, write as many rows of the same sizes, in transactions, with no
//!   rules. [`catch_up`]: the projector from an empty store to [`lag`] 0; [`embedded`]: to its end, without Kafka.
//! - [`latency`]: from a command's scheduled time to a reader of its row, at a fixed rate. [`history`]: the same while
//!   a service is told a long history.
//! - [`view`], [`replay`], [`restart`]: the other workers.
//! - [`all`]: each of these some times, each in a process of its own; [`report`] shows it.
//! - [`cluster`]: topics and clients. [`worker`]: the measured binary, whose memory and CPU [`usage`] watches.
//!   [`figures`]: the line of JSON that each measurement prints.

mod all;
mod args;
mod catch_up;
mod cluster;
// What the log takes its records with, so that what it is compared with is not held up by more than that.
#[path = "../../log/src/kafka/consume.rs"]
#[allow(dead_code, reason = "the log asks more of a record")]
mod consume;
mod embedded;
mod figures;
mod history;
mod lag;
mod latency;
mod limit;
mod load;
mod read;
mod replay;
mod report;
mod restart;
mod usage;
mod view;
mod worker;
mod workload;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, What};
use figures::print;

/// The same as the measured binary has, so that the limit is not held up by another.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("partyline-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    let setup = &args.setup;
    match &args.what {
        What::Load(workload) => print(&load::load(setup, workload)?),
        What::Read => print(&read::commands(setup)?),
        What::Limit(limit) => print(&limit::limit(setup, limit)?),
        What::CatchUp(catch_up) => print(&catch_up::catch_up(setup, catch_up)?),
        What::Embedded(workload) => print(&embedded::embedded(setup, workload)?),
        What::Latency(latency) => print(&latency::latency(setup, latency)?),
        What::View(view) => print(&view::view(setup, view)?),
        What::Replay(replay) => print(&replay::replay(setup, replay)?),
        What::Restart(workload) => print(&restart::restart(setup, workload)?),
        What::History(history) => print(&history::history(setup, history)?),
        What::All(plan) => all::all(setup, plan),
    }
}
