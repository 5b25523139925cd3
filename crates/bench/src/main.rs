//! The benchmark: how fast commands become rows on a real Kafka, beside what the Kafka client can do at all.
//!
//! - [`workload`]: seeded commands with real texts; [`load`] writes them to a log.
//! - [`read`]: a bare read of the commands. [`limit`]: read, write as many rows of the same sizes, in transactions,
//!   with no rules. [`catch_up`]: the projector from an empty store to the end of the log.
//! - [`all`]: each of these some times, each in a process of its own that [`usage`] watches; [`report`] prints it.
//! - [`cluster`]: topics and clients.

mod all;
mod args;
mod catch_up;
mod cluster;
mod figures;
mod limit;
mod load;
mod read;
mod report;
mod usage;
mod workload;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, What};

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
    let log = &args.log;
    let figures = match &args.what {
        What::Load(workload) => load::load(log, workload)?,
        What::Read => read::read(log)?,
        What::Limit(limit) => limit::limit(log, limit)?,
        What::CatchUp(catch_up) => return catch_up::catch_up(log, catch_up),
        What::All(plan) => return all::all(log, plan),
    };
    figures.print()
}
