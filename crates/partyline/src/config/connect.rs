//! Opening the log that the configuration names.

use std::{path::Path, sync::Arc};

use partyline_log::{
    Backend, LogError,
    embedded::Embedded,
    kafka::{Kafka, Options},
};

use super::{Config, LogAddress};

/// An open log.
#[derive(Clone)]
pub struct Log {
    /// For the workers.
    pub backend: Arc<dyn Backend>,
    /// For cleaning, where the log is embedded.
    pub embedded: Option<Arc<Embedded>>,
}

impl Config {
    /// Opens the log. An embedded one that is not there is made, with the configured number of partitions.
    ///
    /// # Errors
    /// If it cannot be reached or used.
    pub fn connect(&self) -> Result<Log, LogError> {
        match &self.log {
            LogAddress::Embedded(dir) => {
                let embedded = Arc::new(Embedded::open(dir, self.topics(), self.partitions)?);
                Ok(Log { backend: Arc::clone(&embedded) as Arc<dyn Backend>, embedded: Some(embedded) })
            }
            LogAddress::Kafka(bootstrap) => {
                let kafka = Kafka::connect(Options {
                    bootstrap: bootstrap.clone(),
                    topics: self.topics(),
                    properties: self.kafka.clone(),
                    replication_factor: self.replication_factor,
                })?;
                Ok(Log { backend: Arc::new(kafka), embedded: None })
            }
        }
    }

    /// Opens the log for a verb that only reads: makes none.
    ///
    /// # Errors
    /// If there is none, or it cannot be reached or used.
    pub fn connect_existing(&self) -> Result<Log, LogError> {
        match &self.log {
            LogAddress::Embedded(dir) if is_empty(dir) => Err(LogError::Embedded {
                path: dir.display().to_string(),
                reason: "there is none; `partyline up`, `publish` or `topics create` make one".to_owned(),
            }),
            _ => self.connect(),
        }
    }
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none())
}
