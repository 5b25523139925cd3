//! The reading verbs: `view rows|inbox|timeline|channels|warnings|rejections|digest SERVICE`.
//!
//! - [`ShowArgs`]: what can be asked for. Each verb is one file, named after it.
//! - `pages`: the rows of a view, a page at a time, so that memory stays bounded however large the view is.
//! - [`row`]: rows as people's tables need them; [`content`], `time`: their text.
//! - [`table`]: how tables look; `newest`: the newest few of many.
//!
//! Only [`run`] knows where a view is; everything else goes through [`Ask`].

mod channels;
pub mod content;
mod digest;
mod inbox;
mod newest;
mod pages;
mod rejections;
pub mod row;
mod rows;
pub mod table;
mod time;
mod timeline;
mod warnings;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    io::{self, BufWriter, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Subcommand;
use partyline_ledger::{Customer, Service};
use partyline_projector::{Answer, Query};

use self::table::Look;
pub use self::{
    channels::subscribers,
    pages::{Visit, each_row, summary},
    timeline::ChannelName,
};
use crate::{ask::ViewClient, config::Config, exit::Exit};

/// Asks a view.
pub type Ask<'a> = dyn FnMut(&Query) -> anyhow::Result<Answer> + 'a;

/// The reading verbs of `view`.
#[derive(Debug, Clone, Subcommand)]
pub enum ShowArgs {
    /// The rows as JSON, sorted by key, one object a line: {"key":"entry/...","cause":{...},"entry":{...}}
    Rows {
        /// Whose view
        #[arg(value_parser = service)]
        service: Service,
        /// Only rows whose keys begin with this, such as `entry/+4930555010/`
        #[arg(long, value_name = "KEY", default_value = "")]
        prefix: String,
    },
    /// The conversations, the one with the newest entry first
    Inbox {
        /// Whose view
        #[arg(value_parser = service)]
        service: Service,
        /// How many conversations
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// One conversation, entry by entry
    Timeline {
        /// Whose view
        #[arg(value_parser = service)]
        service: Service,
        /// The business number (+ and digits); `<number>~<service>` for the service's own, isolated channel
        #[arg(value_name = "NUMBER")]
        channel: ChannelName,
        /// The customer
        #[arg(value_parser = customer)]
        customer: Customer,
        /// Only the last N entries [default: 100; with --json: all]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        last: Option<u32>,
    },
    /// The numbers that it is connected to, who shares them, and who is the parent (★)
    Channels {
        /// Whose view
        #[arg(value_parser = service)]
        service: Service,
    },
    /// What its agents were warned of, newest first
    Warnings {
        /// Whose view
        #[arg(value_parser = service)]
        service: Service,
        /// How many (with --json: all)
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Its commands that a rule forbade, newest first
    Rejections {
        /// Whose view
        #[arg(value_parser = service)]
        service: Service,
        /// How many (with --json: all)
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Digest and row count, with the positions of the log that they reflect
    Digest {
        /// Whose view
        #[arg(value_parser = service)]
        service: Service,
    },
}

impl ShowArgs {
    /// The service whose view is asked for.
    pub fn service(&self) -> &Service {
        match self {
            Self::Rows { service, .. }
            | Self::Inbox { service, .. }
            | Self::Timeline { service, .. }
            | Self::Channels { service }
            | Self::Warnings { service, .. }
            | Self::Rejections { service, .. }
            | Self::Digest { service } => service,
        }
    }
}

/// Where results go, and how.
pub struct Screen<'a> {
    /// Results: standard output.
    pub out: &'a mut dyn Write,
    /// Everything else: standard error.
    pub notes: &'a mut dyn Write,
    /// One JSON object a line instead of tables.
    pub json: bool,
    /// How tables look.
    pub look: Look,
    /// The time that pickups are compared with, milliseconds since 1970.
    pub now_ms: i64,
}

impl Screen<'_> {
    /// Says something beside the results, behind those that were printed before.
    ///
    /// # Errors
    /// If nobody reads them.
    pub fn note(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.out.flush()?;
        writeln!(self.notes, "{text}")
    }
}

/// Answers one verb, on standard output.
///
/// # Errors
/// If there is no view yet, it cannot be asked, or nobody reads the output.
pub fn run(args: ShowArgs, config: &Config) -> anyhow::Result<Exit> {
    let mut view = ViewClient::open(&config.layout(), args.service().as_str())?;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut screen = Screen {
        out: &mut out,
        notes: &mut io::stderr(),
        json: config.json,
        look: Look::of_stdout(),
        now_ms: i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX),
    };
    let exit = answer(&args, &mut |query: &Query| view.ask(query), &mut screen)?;
    out.flush()?;
    Ok(exit)
}

fn answer(args: &ShowArgs, ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<Exit> {
    match args {
        ShowArgs::Rows { prefix, .. } => rows::show(prefix, ask, screen)?,
        ShowArgs::Inbox { service, limit } => inbox::show(service, *limit as usize, ask, screen)?,
        ShowArgs::Timeline { service, channel, customer, last } => {
            let last = last.map(|last| last as usize);
            return timeline::show(&timeline::Asked { service, channel, customer, last }, ask, screen);
        }
        ShowArgs::Channels { service } => channels::show(service, ask, screen)?,
        ShowArgs::Warnings { service, limit } => warnings::show(service, *limit as usize, ask, screen)?,
        ShowArgs::Rejections { service, limit } => rejections::show(service, *limit as usize, ask, screen)?,
        ShowArgs::Digest { service } => digest::show(service, ask, screen)?,
    }
    Ok(Exit::Done)
}

fn service(text: &str) -> Result<Service, String> {
    Service::new(text).map_err(|bad| bad.to_string())
}

fn customer(text: &str) -> Result<Customer, String> {
    Customer::new(text).map_err(|bad| bad.to_string())
}
