//! Apache Kafka.
//!
//! - [`Kafka`]: the backend, made from [`Options`].
//! - `config`: librdkafka's settings for each kind of client; `context`: what it calls back with.
//! - `intake`: the group member; `rebalances`: what the group decides; `gained`: what it is told about its partitions;
//!   `leaving`: its end.
//! - `transaction`: what a lane of the committer does for each batch.
//! - `reader`, `publisher`: reading and appending outside the group; `poll`: what the consumers share.
//! - `admin`, `offsets`: questions about topics and offsets; `error`: whose fault it is.
//!
//! librdkafka's types stay in here. Its traps are named where they are avoided.

mod admin;
mod config;
mod context;
mod error;
mod gained;
mod intake;
mod leaving;
mod offsets;
mod poll;
mod publisher;
mod reader;
mod rebalances;
mod transaction;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::{
    Backend, Bounds, Committed, Intake, LogError, Offset, Partition, Publisher, Reader, TopicKind, TopicProblem, Topics,
};
use config::Settings;
pub use config::check_property;
use context::{Context, locked};
use intake::GroupIntake;
use publisher::RecordPublisher;
use reader::TopicReader;

/// How long a question to the brokers may take.
const REQUEST: Duration = Duration::from_secs(10);

/// How to reach a Kafka cluster, and what is ours in it.
#[derive(Clone)]
pub struct Options {
    /// The brokers to ask first: `HOST:PORT[,HOST:PORT]`.
    pub bootstrap: String,
    /// The names of the log's topics.
    pub topics: Topics,
    /// librdkafka's properties (`-X`), over our defaults: TLS, SASL and tuning. May hold secrets.
    pub properties: BTreeMap<String, String>,
    /// Replicas of the topics that are created; -1 leaves it to the brokers.
    pub replication_factor: i32,
}

/// A log in a Kafka cluster.
pub struct Kafka {
    settings: Settings,
    topics: Topics,
    replication_factor: i32,
    /// Asks questions; reads nothing and joins nothing. `None` before the first one, and after one that was not answered.
    questions: Mutex<Option<Asker>>,
}

/// A client that only asks.
type Asker = Arc<BaseConsumer<Context>>;

impl Kafka {
    /// Connects, or says within about ten seconds why not: [`LogError::Refused`] for wrong properties and rejected
    /// credentials, [`LogError::Unreachable`] if no broker answers.
    pub fn connect(options: Options) -> Result<Self, LogError> {
        let Options { bootstrap, topics, properties, replication_factor } = options;
        let settings = Settings { bootstrap, properties };
        settings.check()?;
        let log = Self { settings, topics, replication_factor, questions: Mutex::default() };
        log.wait_for_broker()?;
        Ok(log)
    }

    fn wait_for_broker(&self) -> Result<(), LogError> {
        let asker = self.asker()?;
        let deadline = Instant::now() + REQUEST;
        loop {
            let answer = asker.fetch_metadata(Some(&self.topics.commands), Duration::from_secs(1));
            let Err(failure) = answer else { return Ok(()) };
            listen(&asker, Duration::from_millis(100));
            if let Some(refused) = asker.context().refusal() {
                return Err(refused);
            }
            if Instant::now() > deadline {
                let reason = asker.context().last_problem().unwrap_or_else(|| failure.to_string());
                return Err(LogError::Unreachable(format!("no answer from {}: {reason}", self.settings.bootstrap)));
            }
        }
    }

    fn asker(&self) -> Result<Asker, LogError> {
        let mut questions = locked(&self.questions);
        if let Some(asker) = &*questions {
            return Ok(Arc::clone(asker));
        }
        let asker: BaseConsumer<Context> = self
            .settings
            .reader(&self.topics.group)
            .create_with_context(Context::default())
            .map_err(|e| error::failed("wrong Kafka properties", &e))?;
        Ok(Arc::clone(questions.insert(Arc::new(asker))))
    }

    /// Asks something. After a question that was not answered the next one is asked by a new client: the old one may
    /// have lost all brokers for good (see [`poll::Contact`]).
    fn ask<T>(&self, question: impl FnOnce(&BaseConsumer<Context>) -> Result<T, LogError>) -> Result<T, LogError> {
        let asker = self.asker()?;
        listen(&asker, Duration::from_millis(1));
        question(&asker).inspect_err(|failure| {
            if matches!(failure, LogError::Unreachable(_)) {
                let lost = locked(&self.questions).take_if(|current| Arc::ptr_eq(current, &asker));
                poll::let_go((lost, asker));
            }
        })
    }

    fn all_partitions(&self, topic: &str) -> Result<Vec<Partition>, LogError> {
        match self.partitions(topic)? {
            Some(count) => Ok((0..count).collect()),
            None => Err(LogError::NoTopic(topic.to_owned())),
        }
    }
}

/// Takes log lines and errors out of librdkafka's queue, where they wait until somebody polls.
fn listen(asker: &BaseConsumer<Context>, wait: Duration) {
    let deadline = Instant::now() + wait;
    while Instant::now() < deadline {
        asker.poll(wait);
    }
}

impl Backend for Kafka {
    fn id(&self) -> Result<String, LogError> {
        self.ask(|asker| match asker.client().fetch_cluster_id(REQUEST) {
            Some(cluster) => Ok(format!("{cluster}/{}", self.topics.commands)),
            None => Err(LogError::Unreachable("asking for the cluster's id: no answer".to_owned())),
        })
    }

    fn topics(&self) -> &Topics {
        &self.topics
    }

    fn partitions(&self, topic: &str) -> Result<Option<u32>, LogError> {
        self.ask(|asker| admin::partitions(asker, topic))
    }

    fn list(&self) -> Result<Vec<String>, LogError> {
        self.ask(|asker| admin::list(asker, &self.topics))
    }

    fn create(&self, topic: &str, kind: TopicKind, partitions: u32) -> Result<bool, LogError> {
        self.ask(|asker| admin::create(&self.settings, asker, topic, kind, partitions, self.replication_factor))
    }

    fn check(&self, topic: &str, kind: TopicKind, partitions: u32) -> Result<Vec<TopicProblem>, LogError> {
        self.ask(|asker| admin::check(&self.settings, asker, topic, kind, partitions))
    }

    fn bounds(&self, topic: &str) -> Result<Vec<Bounds>, LogError> {
        let partitions = self.all_partitions(topic)?;
        self.ask(|asker| offsets::bounds(asker, topic, &partitions))
    }

    fn intake(&self, member: &str) -> Result<Box<dyn Intake>, LogError> {
        if self.partitions(&self.topics.commands)?.is_none() {
            return Err(LogError::NoTopic(self.topics.commands.to_string()));
        }
        Ok(Box::new(GroupIntake::join(&self.settings, &self.topics, member)?))
    }

    fn reader(&self, topic: &str, from: &[(Partition, Offset)]) -> Result<Box<dyn Reader>, LogError> {
        if self.partitions(topic)?.is_none() {
            return Err(LogError::NoTopic(topic.to_owned()));
        }
        Ok(Box::new(TopicReader::new(&self.settings, &self.topics.group, topic, from)?))
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, LogError> {
        Ok(Box::new(RecordPublisher::new(&self.settings, &self.topics.commands)?))
    }

    fn committed(&self) -> Result<Vec<(Partition, Committed)>, LogError> {
        let partitions = self.all_partitions(&self.topics.commands)?;
        let positions = self.ask(|asker| offsets::committed(asker, &self.topics.commands, &partitions))?;
        let known = |(partition, position): (Partition, Option<Committed>)| position.map(|at| (partition, at));
        Ok(partitions.into_iter().zip(positions).filter_map(known).collect())
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        poll::let_go(locked(&self.questions).take());
    }
}
