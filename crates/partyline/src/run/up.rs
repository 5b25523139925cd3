//! `partyline up`: everything in one process.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use partyline_projector::Settings;
use tokio::runtime::Handle;

use super::{Signals, Stop, clean, crew::Crew, follow::Follower, project, supervise::patiently};
use crate::{
    config::{Config, Log},
    exit::{Exit, say},
    topics,
};

/// Between two looks for new view topics.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Each of the views gets this part of a single one's memory: there may be many in this process.
const SHARE: usize = 4;

/// Runs the projector, every service's view and the log's upkeep until told to stop.
///
/// # Errors
/// If the log or a store cannot be used.
pub fn up(config: &Config) -> anyhow::Result<Exit> {
    let signals = Signals::listen()?;
    let log = config.connect()?;
    if config.work.create_topics {
        patiently(&signals.stop, || topics::make(&*log.backend, &[], config.partitions))?;
    }
    say(format_args!("partyline: runs on {}, stores in {}; Ctrl-C stops it", config.log, config.data.display()));
    let config = Arc::new(config.clone());
    let crew = Arc::new(Crew::new(&signals.stop));
    let (with, on) = (Arc::clone(&config), log.clone());
    crew.start("projector", move |stop| project::work(&with, &on, stop, None).map(drop))?;
    let views = Views { config, log: log.clone(), sockets: signals.sockets().clone(), crew: Arc::clone(&crew) };
    crew.start("views", move |stop| views.find(stop))?;
    if let Some(embedded) = log.embedded {
        crew.start("cleaner", move |stop| Ok(clean::work(&embedded, stop)?))?;
    }
    crew.finish()?;
    Ok(Exit::Done)
}

/// Starts a worker for each service that has a topic.
struct Views {
    config: Arc<Config>,
    log: Log,
    sockets: Handle,
    crew: Arc<Crew>,
}

impl Views {
    fn find(&self, stop: &Stop) -> anyhow::Result<()> {
        let mut known = BTreeSet::new();
        loop {
            match self.log.backend.list() {
                Ok(topics) => {
                    for topic in topics {
                        let Some(service) = self.log.backend.topics().service(&topic) else { continue };
                        if self.is_wanted(service) && known.insert(service.to_owned()) {
                            self.follow(service.to_owned())?;
                        }
                    }
                }
                // The workers say so themselves.
                Err(error) if error.is_passing() => tracing::debug!(%error, "cannot look for new views"),
                Err(error) => return Err(error.into()),
            }
            if stop.wait(LOOK_AGAIN) {
                return Ok(());
            }
        }
    }

    fn is_wanted(&self, service: &str) -> bool {
        self.config.work.services.as_ref().is_none_or(|wanted| wanted.contains(service))
    }

    fn follow(&self, service: String) -> anyhow::Result<()> {
        let (config, log, sockets) = (Arc::clone(&self.config), self.log.clone(), self.sockets.clone());
        self.crew.start(&format!("view {service}"), move |stop| {
            let follower = Follower {
                service: &service,
                layout: &config.layout(),
                log: &log,
                settings: share(&config.work),
                sockets: &sockets,
            };
            follower.work(stop, None).map(drop)
        })
    }
}

fn share(all: &Settings) -> Settings {
    Settings {
        dirty_bytes: all.dirty_bytes / SHARE,
        cache_bytes: all.cache_bytes / SHARE,
        sled_cache_bytes: (all.sled_cache_bytes / SHARE as u64).max(1 << 20),
        ..all.clone()
    }
}
