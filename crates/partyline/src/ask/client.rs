//! Asks about a view: the worker that runs, or its store.

use std::{
    io::{self, ErrorKind},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use partyline_projector::{Answer, Layout, Query, ViewStore, WorkError};
use partyline_store::StoreError;

use super::{frame, socket};
use crate::run::Stop;

/// A worker that answers no question within this time is stuck.
const ANSWER: Duration = Duration::from_secs(60);
/// A worker that is just starting holds its store, but does not listen yet; and `partyline up` starts one a moment after
/// its service's first row is there.
const STARTING: Duration = Duration::from_secs(3);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Somebody who can be asked about one view.
pub struct ViewClient {
    source: Source,
}

enum Source {
    /// The worker's socket.
    Worker(UnixStream),
    /// The store itself: nobody runs.
    Store(Box<ViewStore>),
}

impl ViewClient {
    /// Finds the running worker of a service's view, or opens its store as of the last checkpoint.
    ///
    /// # Errors
    /// If there is no such view in this data directory, or it cannot be used.
    pub fn open(layout: &Layout, service: &str) -> anyhow::Result<Self> {
        let never = Stop::default();
        let deadline = Instant::now() + STARTING;
        loop {
            if let Some(stream) = connect(layout, service)? {
                return Ok(Self { source: Source::Worker(stream) });
            }
            match ViewStore::open_existing(&layout.view_store(service)) {
                Ok(store) => return Ok(Self { source: Source::Store(Box::new(store)) }),
                Err(WorkError::Store(StoreError::InUse { .. } | StoreError::Missing { .. }))
                    if Instant::now() < deadline =>
                {
                    never.wait(LOOK_AGAIN);
                }
                Err(WorkError::Store(StoreError::Missing { .. })) => anyhow::bail!(
                    "NO_VIEW: there is no view of {service} in {}. `partyline view follow {service} --until-end` makes \
                     it from its topic; `partyline up` keeps every service's fed",
                    layout.root().display()
                ),
                Err(error) => return Err(error).with_context(|| format!("the view of {service}")),
            }
        }
    }

    /// Asks one question.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn ask(&mut self, query: &Query) -> anyhow::Result<Answer> {
        match &mut self.source {
            Source::Store(store) => Ok(store.answer(query)?),
            Source::Worker(stream) => {
                io::Write::write_all(stream, &frame::question(query)).context("asking the view's worker")?;
                let answer = read_frame(stream).context("waiting for the view's worker")?;
                frame::read_answer(&answer)?.map_err(|reason| anyhow::anyhow!("the view's worker: {reason}"))
            }
        }
    }
}

/// A connection to the worker; nothing if none listens.
fn connect(layout: &Layout, service: &str) -> anyhow::Result<Option<UnixStream>> {
    let at = socket::Place::of(&layout.view(service))?;
    match UnixStream::connect(at.path()) {
        Ok(stream) => {
            stream.set_read_timeout(Some(ANSWER))?;
            stream.set_write_timeout(Some(ANSWER))?;
            Ok(Some(stream))
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("the socket in {}", layout.view(service).display())),
    }
}

fn read_frame(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    io::Read::read_exact(stream, &mut length)?;
    let mut bytes = vec![0; frame::length(length)?];
    io::Read::read_exact(stream, &mut bytes)?;
    Ok(bytes)
}
