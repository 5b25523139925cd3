//! `partyline publish`: JSON lines to the log, acknowledged by it.
//!
//! - `lines`: a thread reads and checks lines, in bounded memory; what is wrong with one is its own affair.
//! - `engine`: sends them, takes receipts, and waits for outcomes.
//! - `outcomes`: what the projector says became of them. `report`: what people and programs are told.

mod engine;
mod lines;
mod outcomes;
mod report;
#[cfg(test)]
mod tests;

use std::{fs::File, io, time::Duration};

use crate::{
    cli::PublishArgs,
    config::Config,
    exit::{Exit, Usage},
    run::{Signals, patiently},
};

pub use engine::Engine;
pub use lines::{Chunk, Good, Item};

/// Publishes a file or standard input.
///
/// # Errors
/// If the file cannot be read or the log cannot be used, or if `--wait` was not answered in time.
pub fn run(args: &PublishArgs, config: &Config) -> anyhow::Result<Exit> {
    let input: Box<dyn io::Read + Send> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        let wrong = |error: io::Error| Usage(format!("{}: {error}", args.file.display()));
        let file = File::open(&args.file).map_err(wrong)?;
        if file.metadata().map_err(wrong)?.is_dir() {
            return Err(wrong(io::ErrorKind::IsADirectory.into()).into());
        }
        Box::new(file)
    };
    let signals = Signals::listen()?;
    let log = config.connect()?;
    let wait = args.wait.then(|| Duration::from_secs(args.timeout));
    let engine = patiently(&signals.stop, || Engine::new(&*log.backend, wait, config.json))?;
    engine.run(lines::read(input)?, &signals.stop)
}
