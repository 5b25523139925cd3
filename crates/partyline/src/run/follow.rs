//! `partyline view follow`: one service's view, and answers about it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use partyline_projector::{Progress, Settings, View, WorkError};
use tokio::runtime::Handle;

use super::{
    STEP, Signals, Stop,
    counting::End,
    supervise::{Health, patiently, supervise},
};
use crate::{
    ask::{self, Questions},
    cli::FollowArgs,
    config::{Config, Log},
    exit::{Exit, say},
};

/// A worker that begins answers when it has read what was there, but at the latest after this time.
const SILENT: Duration = Duration::from_secs(1);

/// Keeps a view fed until told to stop, or until the end of its topic.
///
/// # Errors
/// If the log or the store cannot be used.
pub fn follow(args: &FollowArgs, config: &Config) -> anyhow::Result<Exit> {
    let signals = Signals::listen()?;
    let log = config.connect_existing()?;
    let topic = log.backend.topics().view(args.service.as_str());
    if patiently(&signals.stop, || log.backend.partitions(&topic))?.is_none() {
        let service = &args.service;
        anyhow::bail!(
            "NO_TOPIC: there is no topic {topic}; the projector makes it with the first row of {service}, or \
             `partyline topics create --services {service}` does"
        );
    }
    let end = match args.until_end {
        true => Some(patiently(&signals.stop, || End::of(&*log.backend, &topic))?),
        false => None,
    };
    let follower = Follower {
        service: args.service.as_str(),
        layout: &config.layout(),
        log: &log,
        settings: config.work.clone(),
        sockets: signals.sockets(),
    };
    let finished = follower.work(&signals.stop, end.as_ref())?;
    if args.until_end && !finished {
        say("partyline: stopped before the end of the topic");
    }
    Ok(Exit::differs_if(args.until_end && !finished))
}

/// A view's worker and what it needs.
pub(super) struct Follower<'a> {
    pub service: &'a str,
    pub layout: &'a partyline_projector::Layout,
    pub log: &'a Log,
    pub settings: Settings,
    pub sockets: &'a Handle,
}

impl Follower<'_> {
    /// The worker's work on this thread, from its first life to its last. Says whether the end was reached.
    pub fn work(&self, stop: &Stop, end: Option<&End>) -> anyhow::Result<bool> {
        let dir = self.layout.view(self.service);
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        let mut questions: Option<Questions> = None;
        let finished = supervise(stop, Health::of(format!("view {}", self.service)), |health| {
            let store = self.layout.view_store(self.service);
            let opened = View::open(&self.log.backend, self.service, &store, self.settings.clone(), Instant::now());
            let mut view = opened.inspect_err(|error| {
                if let Some(questions) = &questions {
                    questions.refuse(error);
                }
            })?;
            // Only who holds the store may listen, so not before.
            if questions.is_none() {
                questions = listen(self.sockets, &dir);
            }
            let there = End::of(&*self.log.backend, &self.log.backend.topics().view(self.service))?;
            let finished = drive(&mut view, stop, (&there, end), questions.as_ref(), health)?;
            view.close()?;
            Ok(finished)
        })?;
        Ok(finished.unwrap_or(false))
    }
}

fn listen(sockets: &Handle, dir: &Path) -> Option<Questions> {
    ask::serve(sockets, dir)
        .inspect_err(|error| {
            tracing::warn!(dir = %dir.display(), error = format!("{error:#}"), "the view cannot be read while this runs");
        })
        .ok()
}

fn drive(
    view: &mut View,
    stop: &Stop,
    (there, end): (&End, Option<&End>),
    questions: Option<&Questions>,
    health: &mut Health,
) -> Result<bool, WorkError> {
    let began = Instant::now();
    let mut answers = false;
    while !stop.is_set() {
        // Who has just published asks for what was there when this began.
        answers = answers || began.elapsed() >= SILENT || there.is_reached(|partition| view.position(partition));
        if let Some(questions) = questions.filter(|_| answers) {
            questions.answer(view)?;
        }
        if view.step(Instant::now(), STEP)? == Progress::Worked {
            health.works();
        }
        if end.is_some_and(|end| end.is_reached(|partition| view.position(partition))) {
            return Ok(true);
        }
    }
    Ok(false)
}
