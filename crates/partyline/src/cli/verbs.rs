//! The arguments of each verb.

use std::path::PathBuf;

use clap::Args;
use partyline_ledger::{BusinessNumber, Service};
use partyline_projector::ReplaySpan;

/// `publish`
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// The commands, one JSON object a line; - is standard input
    #[arg(default_value = "-")]
    pub file: PathBuf,
    /// Wait until they are applied, and say what became of each (a projector must run)
    #[arg(long)]
    pub wait: bool,
    /// With --wait: give up when nothing was answered for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

/// `project`
#[derive(Debug, Args)]
pub struct ProjectArgs {
    /// Stop when everything that was in the log at the start is done, and say how it went
    #[arg(long)]
    pub until_end: bool,
}

/// `view follow`
#[derive(Debug, Args)]
pub struct FollowArgs {
    /// Which service's view
    #[arg(value_parser = service)]
    pub service: Service,
    /// Stop when everything that was in the topic at the start is taken
    #[arg(long)]
    pub until_end: bool,
}

/// `topics create`
#[derive(Debug, Args)]
pub struct TopicsCreateArgs {
    /// Also make the view topics of these services
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = service)]
    pub services: Vec<Service>,
    /// Partitions of a new log, fixed for its life [default: the setting `partitions`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub partitions: Option<u32>,
}

/// `republish`
#[derive(Debug, Args)]
pub struct RepublishArgs {
    /// Which service's rows
    #[arg(value_parser = service)]
    pub service: Service,
    /// Only of this business number
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub number: Option<BusinessNumber>,
}

/// `replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Which service's view
    #[arg(value_parser = service)]
    pub service: Service,
    /// Replay partition P only up to offset O (exclusive); may be repeated
    #[arg(long, value_name = "P:O", value_parser = span)]
    pub to_offset: Vec<ReplaySpan>,
    /// Keep the view, so that `partyline view ... --data DIR` can read it
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

fn service(text: &str) -> Result<Service, String> {
    Service::new(text).map_err(|bad| bad.to_string())
}

fn number(text: &str) -> Result<BusinessNumber, String> {
    BusinessNumber::new(text).map_err(|bad| bad.to_string())
}

fn span(text: &str) -> Result<ReplaySpan, String> {
    let parsed = text.split_once(':').and_then(|(partition, until)| {
        Some(ReplaySpan { partition: partition.parse().ok()?, until: until.parse().ok()? })
    });
    parsed.ok_or_else(|| "must be PARTITION:OFFSET, two whole numbers".to_owned())
}
