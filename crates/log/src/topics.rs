//! Names and kinds of the topics (contract: Topics).

use std::sync::Arc;

/// The rules' generation: part of every topic's and group's name (contract: Rules are frozen history).
pub const GENERATION: &str = "v1";

/// The names of one log's topics. They share a prefix, `partyline` unless configured, so that several logs can live in
/// one cluster.
#[derive(Debug, Clone)]
pub struct Topics {
    prefix: String,
    /// The log of commands, the only truth.
    pub commands: Arc<str>,
    /// For producers: what became of their commands.
    pub outcomes: Arc<str>,
    /// Records that no service can be told about.
    pub dead_letters: Arc<str>,
    /// The projectors' consumer group.
    pub group: String,
}

/// What a topic is for; its settings follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// Kept for ever, log append time.
    Commands,
    /// Compacted, lag at most one hour.
    View,
    /// Kept 7 days.
    Outcomes,
    /// Kept 30 days.
    DeadLetters,
}

impl Topics {
    /// The names under `prefix`.
    pub fn new(prefix: &str) -> Self {
        let name = |what: &str| Arc::from(format!("{prefix}.{what}.{GENERATION}"));
        Self {
            prefix: prefix.to_owned(),
            commands: name("commands"),
            outcomes: name("outcomes"),
            dead_letters: name("dlq"),
            group: format!("{prefix}.projector.{GENERATION}"),
        }
    }

    /// The topic of one service's rows.
    pub fn view(&self, service: &str) -> Arc<str> {
        Arc::from(format!("{}.view.{service}.{GENERATION}", self.prefix))
    }

    /// The service whose view topic this is; `None` for any other topic.
    pub fn service<'a>(&self, topic: &'a str) -> Option<&'a str> {
        topic.strip_prefix(self.prefix.as_str())?.strip_prefix(".view.")?.strip_suffix(GENERATION)?.strip_suffix('.')
    }

    /// What kind of topic this is; `None` if it is not one of ours.
    pub fn kind(&self, topic: &str) -> Option<TopicKind> {
        if topic == &*self.commands {
            Some(TopicKind::Commands)
        } else if topic == &*self.outcomes {
            Some(TopicKind::Outcomes)
        } else if topic == &*self.dead_letters {
            Some(TopicKind::DeadLetters)
        } else {
            self.service(topic).map(|_| TopicKind::View)
        }
    }
}

impl TopicKind {
    /// The Kafka settings that the contract asks for, besides the partition count.
    pub fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Commands => &[
                ("cleanup.policy", "delete"),
                ("retention.ms", "-1"),
                ("retention.bytes", "-1"),
                ("message.timestamp.type", "LogAppendTime"),
            ],
            Self::View => &[("cleanup.policy", "compact"), ("max.compaction.lag.ms", "3600000")],
            Self::Outcomes => &[("cleanup.policy", "delete"), ("retention.ms", "604800000")],
            Self::DeadLetters => &[
                ("cleanup.policy", "delete"),
                ("retention.ms", "2592000000"),
                // The largest record that the log takes, and the headers that say what was wrong with it.
                ("max.message.bytes", "2097152"),
            ],
        }
    }

    /// Kafka settings that a topic is made with beyond those: whoever made it otherwise is not wrong.
    ///
    /// A view that is being written for the first time is not compacted yet; brokers would do so again and again meanwhile,
    /// with each gigabyte of a partition, and the projector be a quarter slower.
    pub fn made_with(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::View => &[("min.compaction.lag.ms", "600000")],
            Self::Commands | Self::Outcomes | Self::DeadLetters => &[],
        }
    }
}
