//! `view follow`: a service's store, filled from its topic.

use partyline_log::Backend as _;
use serde::Serialize;

use crate::{
    args::{self, Setup},
    cluster,
    figures::{Measured, Meter},
    read, usage,
    worker::{disk_bytes, partyline},
};

/// How it went.
#[derive(Debug, Serialize)]
pub struct Followed {
    /// Whose view.
    pub service: String,
    /// The follower.
    #[serde(flatten)]
    pub measured: Measured,
    /// A bare read of the same topic.
    pub bare_read: Measured,
    /// The store's size on the disk.
    pub store_bytes: u64,
}

/// Measures it once.
///
/// # Errors
/// If it fails, or nobody has projected yet.
pub fn view(setup: &Setup, args: &args::View) -> anyhow::Result<Followed> {
    let data = tempfile::tempdir()?;
    let kafka = cluster::connect(setup)?;
    let bare = Meter::start(setup)?;
    let rows = read::read(setup, &kafka, &kafka.topics().view(&args.service))?;
    let bare_read = bare.stop(0, rows)?;
    let meter = Meter::start(setup)?;
    let ran = usage::run(partyline(setup, data.path()).args(["view", "follow", &args.service, "--until-end"]))?;
    let measured = meter.of(&ran, 0, rows)?;
    Ok(Followed { service: args.service.clone(), measured, bare_read, store_bytes: disk_bytes(data.path())? })
}
