//! Apache Kafka.
//!
//! - [`Kafka`]: the backend, made from [`Options`].
//! - `config`: librdkafka's settings for each kind of client; `context`: what it calls back with; `connect`: a producer's
//!   first steps.
//! - `intake`: the group member; `rebalances`: what the group decides; `gained`: what it is told about its partitions;
//!   `leaving`: its end.
//! - `transaction`: what a lane of the committer does for each batch.
//! - `reader`, `publisher`: reading and appending outside the group; `poll`: what the consumers share.
//! - `consume`, `produce`: many records at once, in and out.
//! - `asking`: who asks questions; `admin`, `offsets`: those about topics and offsets; `error`: whose fault it is.
//!
//! librdkafka's types stay in here. Its traps are named where they are avoided.

mod admin;
mod asking;
mod config;
mod connect;
mod consume;
mod context;
mod error;
mod gained;
mod intake;
mod leaving;
mod offsets;
mod poll;
mod predecessor;
mod produce;
mod publisher;
mod reader;
mod rebalances;
mod transaction;

use std::{collections::BTreeMap, time::Duration};

use rdkafka::consumer::Consumer;

use crate::{
    Backend, Bounds, Committed, Intake, LogError, Offset, Partition, Publisher, Reader, TopicKind, TopicProblem, Topics,
};
use asking::Asking;
use config::Settings;
pub use config::check_property;
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
    /// Asks about topics.
    questions: Asking<asking::Consumer>,
    /// Asks, as the group, about its positions. Apart, because a client that may be of a group takes 100 ms to close.
    positions: Asking<asking::Consumer>,
    /// Makes topics and asks for their settings.
    admin: Asking<asking::Admin>,
}

impl Kafka {
    /// Connects, or says within about ten seconds why not: [`LogError::Refused`] for wrong properties and rejected
    /// credentials, [`LogError::Unreachable`] if no broker answers.
    pub fn connect(options: Options) -> Result<Self, LogError> {
        let Options { bootstrap, topics, properties, replication_factor } = options;
        let settings = Settings { bootstrap, properties };
        settings.check()?;
        let questions = Asking::new(settings.asker());
        questions.wait_for_broker(&topics.commands)?;
        let positions = Asking::new(settings.reader(&topics.group));
        let admin = Asking::new(settings.admin());
        Ok(Self { settings, topics, replication_factor, questions, positions, admin })
    }

    fn all_partitions(&self, topic: &str) -> Result<Vec<Partition>, LogError> {
        match self.partitions(topic)? {
            Some(count) => Ok((0..count).collect()),
            None => Err(LogError::NoTopic(topic.to_owned())),
        }
    }
}

impl Backend for Kafka {
    fn id(&self) -> Result<String, LogError> {
        self.questions.ask(|asker| match asker.client().fetch_cluster_id(REQUEST) {
            Some(cluster) => Ok(format!("{cluster}/{}", self.topics.commands)),
            None => Err(LogError::Unreachable("asking for the cluster's id: no answer".to_owned())),
        })
    }

    fn topics(&self) -> &Topics {
        &self.topics
    }

    fn partitions(&self, topic: &str) -> Result<Option<u32>, LogError> {
        self.questions.ask(|asker| admin::partitions(asker, topic))
    }

    fn list(&self) -> Result<Vec<String>, LogError> {
        self.questions.ask(|asker| admin::list(asker, &self.topics))
    }

    fn create(&self, topic: &str, kind: TopicKind, partitions: u32) -> Result<bool, LogError> {
        let replicas = self.replication_factor;
        self.questions
            .ask(|asker| self.admin.ask(|admin| admin::create(admin, asker, topic, kind, partitions, replicas)))
    }

    fn check(&self, topic: &str, kind: TopicKind, partitions: u32) -> Result<Vec<TopicProblem>, LogError> {
        self.questions.ask(|asker| self.admin.ask(|admin| admin::check(admin, asker, topic, kind, partitions)))
    }

    fn bounds(&self, topic: &str) -> Result<Vec<Bounds>, LogError> {
        let partitions = self.all_partitions(topic)?;
        self.questions.ask(|asker| offsets::bounds(asker, topic, &partitions))
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
        Ok(Box::new(TopicReader::new(&self.settings, &self.topics, topic, from)?))
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, LogError> {
        Ok(Box::new(RecordPublisher::new(&self.settings, &self.topics.commands)?))
    }

    fn committed(&self) -> Result<Vec<(Partition, Committed)>, LogError> {
        let partitions = self.all_partitions(&self.topics.commands)?;
        let positions = self.positions.ask(|asker| offsets::committed(asker, &self.topics.commands, &partitions))?;
        let known = |(partition, position): (Partition, Option<Committed>)| position.map(|at| (partition, at));
        Ok(partitions.into_iter().zip(positions).filter_map(known).collect())
    }
}
