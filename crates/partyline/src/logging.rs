//! Log lines on stderr, as text or JSON. Never with what a message says in them.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts logging. A verb that stays says more than one that prints a result.
pub fn start(config: &Config, is_worker: bool) {
    let ours = match config.verbosity + i8::from(is_worker) {
        ..0 => "error",
        0 => "warn",
        1 => "info",
        2 => "debug",
        3.. => "trace",
    };
    let others = if config.verbosity >= 3 { "debug" } else { "warn" };
    // Every crate of ours begins with this name.
    let filter = EnvFilter::new(format!("{others},partyline={ours}"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // It can only fail where somebody else logs already, in tests.
    let _ = match config.log_format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => {
            let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
            builder.with_ansi(colours).with_target(false).try_init()
        }
    };
}
