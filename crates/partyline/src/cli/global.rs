//! The arguments that go for every verb.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::config::Flags;

/// Arguments that go for every verb.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The log: `embedded:DIR`, or `kafka:HOST:PORT[,HOST:PORT]` [default: embedded, in the data directory]
    #[arg(long, global = true, value_name = "LOG")]
    pub log: Option<String>,
    /// Where stores are kept [default: the platform's data directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A TOML file with settings; `config show` names them all
    #[arg(long, global = true, value_name = "FILE", env = "PARTYLINE_CONFIG")]
    pub config: Option<PathBuf>,
    /// A property of librdkafka, such as security.protocol=SASL_SSL; may be repeated
    #[arg(short = 'X', global = true, value_name = "KEY=VALUE")]
    pub properties: Vec<String>,
    /// Results as JSON, one object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// More log lines on stderr; may be repeated
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Fewer log lines on stderr; may be repeated
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub quiet: u8,
}

impl Global {
    /// The settings among them; a property without `=` is a mistake.
    pub fn flags(&self, mistakes: &mut Vec<String>) -> Flags {
        let mut flags = Flags::default();
        if let Some(log) = &self.log {
            flags.set("log", log);
        }
        if let Some(data) = &self.data {
            flags.set("data", data.display());
        }
        if self.verbose > 0 || self.quiet > 0 {
            flags.set("verbosity", i16::from(self.verbose) - i16::from(self.quiet));
        }
        for property in &self.properties {
            let Some((name, value)) = property.split_once('=') else {
                mistakes.push(format!("-X {property} (flag): must be KEY=VALUE"));
                continue;
            };
            flags.property(name.trim(), value);
        }
        flags
    }
}
