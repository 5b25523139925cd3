//! What can go wrong with a log, as far as someone branches on it.

/// A failure of the log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The log cannot be reached just now: wait and try again.
    #[error("the log cannot be reached: {0}")]
    Unreachable(String),
    /// A transaction failed, or this member was fenced: throw the intake away and start over from the store.
    #[error("the transaction did not commit: {0}")]
    Transaction(String),
    /// Kafka says that another process runs as the same member. After an outage longer than the group's session time-out
    /// that may be a late heartbeat of this very process: start over, and believe it the second time.
    #[error("another process runs as the same member ({0})")]
    Fenced(String),
    /// There is no such topic.
    #[error("there is no topic {0}; `partyline topics create` makes it")]
    NoTopic(String),
    /// The requested offset is no longer (or not yet) in the log.
    #[error("offset out of range: {0}")]
    OutOfRange(String),
    /// Another process holds what may be held only once.
    #[error("{0}")]
    InUse(String),
    /// Wrong configuration, refused credentials, no permission: trying again does not help.
    #[error("{0}")]
    Refused(String),
    /// The files of the embedded log cannot be used.
    #[error("the embedded log in {path} cannot be used: {reason}")]
    Embedded {
        /// Where the files are.
        path: String,
        /// What is wrong with them.
        reason: String,
    },
}

impl LogError {
    /// Whether starting over may help.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Transaction(_))
    }
}

/// Something that is not as the contract wants it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicProblem {
    /// The topic is not there.
    #[error("missing")]
    Missing,
    /// It has another number of partitions than the commands topic.
    #[error("{found} partitions, not {expected}")]
    Partitions {
        /// How many it has.
        found: u32,
        /// How many it should have.
        expected: u32,
    },
    /// A setting differs.
    #[error("{name} is {found}, not {expected}")]
    Setting {
        /// Its name.
        name: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
}
