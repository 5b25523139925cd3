//! The binary `partyline`: arguments, configuration, threads, signals, output.
//!
//! - `cli`: the arguments. `config`: settings from flags, environment and file; opens the log.
//! - `run`: the verbs that stay (`up`, `project`, `view follow`): supervision, signals, stopping in time.
//! - `publish`: JSON lines to the log. `republish`: through the same machine.
//! - `topics`, `replay`: the other operators' verbs. `show`: reading a view. `demo`: everything at once.
//! - `ask`: questions about a view, to the worker that runs or to its store.
//! - `exit`: how the process ends. `logging`: what it says meanwhile.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod ask;
mod cli;
mod config;
mod demo;
mod exit;
mod logging;
mod publish;
mod replay;
mod republish;
mod run;
mod show;
mod topics;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser as _};

use crate::{
    cli::{Cli, ConfigVerb, TopicsVerb, Verb, ViewVerb},
    config::Loaded,
    exit::Exit,
};

/// Gives memory back that is not used, of which the system's own keeps 50 MB more. `.cargo/config.toml` has its settings.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => exit::code(run(cli)),
        Err(usage) => {
            // Prints help to stdout and mistakes to stderr; a pipe that is closed is nobody's fault.
            let _ = usage.print();
            ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2))
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    if let Verb::Completions { shell } = cli.verb {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "partyline", &mut script);
        io::stdout().lock().write_all(&script)?;
        return Ok(Exit::Done);
    }
    let Loaded { config, shown } = config::load(&cli.global, std::env::vars_os())?;
    logging::start(&config, is_worker(&cli.verb));
    #[cfg(target_os = "linux")]
    if !matches!(cli.verb, Verb::Replay(_) | Verb::Project(_)) {
        stay_small();
    }
    match cli.verb {
        Verb::Demo(args) => demo::run(args, &config),
        Verb::Up => run::up(&config),
        Verb::Publish(args) => publish::run(&args, &config),
        Verb::Project(args) => run::project(&args, &config),
        Verb::View(ViewVerb::Follow(args)) => run::follow(&args, &config),
        Verb::View(ViewVerb::Show(args)) => show::run(args, &config),
        Verb::Topics(TopicsVerb::Create(args)) => topics::create(&args, &config),
        Verb::Topics(TopicsVerb::Check) => topics::check(&config),
        Verb::Republish(args) => republish::run(&args, &config),
        Verb::Replay(args) => replay::run(&args, &config),
        Verb::Config(ConfigVerb::Show) => config::show::run(&config, &shown),
        Verb::Completions { .. } => Ok(Exit::Done),
    }
}

/// Takes no huge pages, which the allocator asks for: replays and projectors, which work through much memory, are faster
/// with them; for others, they are only more memory.
#[cfg(target_os = "linux")]
fn stay_small() {
    // A system that knows nothing of this has none.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Whether it stays, and so has something to say meanwhile.
fn is_worker(verb: &Verb) -> bool {
    matches!(verb, Verb::Up | Verb::Project(_) | Verb::View(ViewVerb::Follow(_)))
}
