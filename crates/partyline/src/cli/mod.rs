//! The arguments, one file for each group of verbs.

mod global;
mod verbs;

use clap::{Parser, Subcommand};

use crate::{demo::DemoArgs, show::ShowArgs};

pub use global::Global;
pub use verbs::{FollowArgs, ProjectArgs, PublishArgs, ReplayArgs, RepublishArgs, TopicsCreateArgs};

/// One WhatsApp business number, many services: a log of commands, and each service's masked view of it.
#[derive(Debug, Parser)]
#[command(name = "partyline", version, max_term_width = 100)]
pub struct Cli {
    /// What goes for every verb.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Play real conversations through a throw-away log and show what each service sees
    Demo(DemoArgs),
    /// Run everything in one process: log, projector, and every service's view
    Up,
    /// Send JSON commands, one a line, to the log
    Publish(PublishArgs),
    /// Run the projector: commands in, every service's rows out
    Project(ProjectArgs),
    /// Keep and read a service's view
    #[command(subcommand)]
    View(ViewVerb),
    /// Make and check the log's topics
    #[command(subcommand)]
    Topics(TopicsVerb),
    /// Have a service's rows published again, number by number
    Republish(RepublishArgs),
    /// Rebuild a service's view from the log, in a scratch store, and print its digest
    Replay(ReplayArgs),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// The verbs about a view.
#[derive(Debug, Subcommand)]
pub enum ViewVerb {
    /// Keep SERVICE's store fed from its topic
    Follow(FollowArgs),
    /// The reading verbs.
    #[command(flatten)]
    Show(ShowArgs),
}

/// The verbs about topics.
#[derive(Debug, Subcommand)]
pub enum TopicsVerb {
    /// Make the topics that are missing
    Create(TopicsCreateArgs),
    /// Say what is missing or set wrongly; exit 1 if anything is
    Check,
}

/// The verbs about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Print each value and where it came from
    Show,
}
