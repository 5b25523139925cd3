//! Which topic a service's rows go to, and how fresh each topic was said to be.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use foldhash::{HashMap, HashMapExt as _};
use partyline_ledger::Service;
use partyline_log::{Backend, Batch, LogError, Partition, Target, TopicKind};

use crate::Settings;

/// A topic that is missing, and may not or cannot be made, is looked for again after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The view topics.
pub(crate) struct Routes {
    backend: Arc<dyn Backend>,
    partitions: u32,
    create: bool,
    allowed: Option<BTreeSet<String>>,
    routes: Vec<Route>,
    by_service: HashMap<Service, Found>,
}

/// Where a service's rows go.
enum Found {
    Topic(usize),
    /// Nowhere; looked for at this time.
    Unrouted(Instant),
}

/// One view topic.
pub(crate) struct Route {
    topic: Arc<str>,
    /// By partition: where its rows go in the current transaction, if it has any.
    targets: Vec<Option<Target>>,
    /// By partition: when a position row was last written.
    told: Vec<Option<Instant>>,
}

impl Routes {
    /// The topics that exist already.
    pub fn open(backend: Arc<dyn Backend>, partitions: u32, settings: &Settings) -> Result<Self, LogError> {
        let mut routes = Self {
            partitions,
            create: settings.create_topics,
            allowed: settings.services.clone(),
            routes: Vec::new(),
            by_service: HashMap::new(),
            backend: Arc::clone(&backend),
        };
        for topic in backend.list()? {
            if let Some(Ok(service)) = backend.topics().service(&topic).map(Service::new)
                && routes.is_allowed(&service)
                && let Err(reason) = routes.add(&service, Arc::from(topic))?
            {
                tracing::warn!(%service, %reason, "the service's rows are not published");
            }
        }
        Ok(routes)
    }

    /// The topic of a service, made if it is missing and may be made; `None` if its rows go nowhere.
    pub fn find(&mut self, service: &Service, now: Instant) -> Result<Option<usize>, LogError> {
        match self.by_service.get(service) {
            Some(Found::Topic(route)) => Ok(Some(*route)),
            Some(Found::Unrouted(at)) if now.saturating_duration_since(*at) < LOOK_AGAIN => Ok(None),
            _ => self.look(service, now),
        }
    }

    /// A service without a topic never stops the log (contract: Topics).
    fn look(&mut self, service: &Service, now: Instant) -> Result<Option<usize>, LogError> {
        let found = match self.is_allowed(service) {
            true => self.add(service, self.backend.topics().view(service.as_str()))?,
            false => Err("it is not one of the configured services".to_owned()),
        };
        Ok(found
            .inspect_err(|reason| {
                tracing::warn!(%service, %reason, "the service's rows are not published");
                self.by_service.insert(service.clone(), Found::Unrouted(now));
            })
            .ok())
    }

    /// Where the service's rows go from now on, or why they go nowhere.
    fn add(&mut self, service: &Service, topic: Arc<str>) -> Result<Result<usize, String>, LogError> {
        match self.have(&topic) {
            Err(LogError::Refused(reason)) => return Ok(Err(reason)),
            had => had?,
        }
        let partitions = self.partitions as usize;
        self.routes.push(Route { topic, targets: vec![None; partitions], told: vec![None; partitions] });
        self.by_service.insert(service.clone(), Found::Topic(self.routes.len() - 1));
        Ok(Ok(self.routes.len() - 1))
    }

    /// Sees to it that there is such a topic.
    fn have(&self, topic: &str) -> Result<(), LogError> {
        let found = match self.backend.partitions(topic)? {
            None if !self.create => {
                return Err(LogError::Refused(format!("topic {topic} is missing and may not be made")));
            }
            None => {
                self.backend.create(topic, TopicKind::View, self.partitions)?;
                tracing::info!(topic, "made a view topic");
                self.backend.partitions(topic)?
            }
            found => found,
        };
        match found {
            Some(found) if found == self.partitions => Ok(()),
            Some(found) => {
                let wanted = self.partitions;
                Err(LogError::Refused(format!("topic {topic} has {found} partitions, the log has {wanted}")))
            }
            None => Err(LogError::Unreachable(format!("topic {topic} is not known to every broker yet"))),
        }
    }

    fn is_allowed(&self, service: &Service) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(service.as_str()))
    }

    pub fn get_mut(&mut self, route: usize) -> Option<&mut Route> {
        self.routes.get_mut(route)
    }

    pub fn all(&mut self) -> &mut [Route] {
        &mut self.routes
    }
}

impl Route {
    /// Where rows of a partition go in the current transaction.
    pub fn target(&mut self, batch: &mut Batch, partition: Partition) -> Target {
        let known = self.targets.get_mut(partition as usize);
        match known {
            Some(Some(target)) => *target,
            Some(unknown) => *unknown.insert(batch.target(&self.topic, partition)),
            None => batch.target(&self.topic, partition),
        }
    }

    /// The current transaction is over.
    pub fn leave(&mut self) {
        self.targets.fill(None);
    }

    /// Whether the current transaction must say how fresh the partition is: it touches it, or nobody said so lately.
    pub fn is_due(&mut self, partition: Partition, now: Instant, age: Duration) -> bool {
        let at = partition as usize;
        let touched = self.targets.get(at).is_some_and(Option::is_some);
        let Some(told) = self.told.get_mut(at) else { return false };
        let due = touched || told.is_none_or(|told| now.saturating_duration_since(told) >= age);
        if due {
            *told = Some(now);
        }
        due
    }
}
