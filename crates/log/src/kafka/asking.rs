//! Clients that ask, and are kept from one question to the next; they read nothing and join nothing.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    admin::AdminClient,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaResult,
};

use super::{
    REQUEST,
    context::{Context, locked},
    error, poll,
};
use crate::LogError;

/// Asks about topics and offsets.
pub(super) type Consumer = BaseConsumer<Context>;
/// Asks about topics' settings, and makes topics.
pub(super) type Admin = AdminClient<Context>;

/// A kind of client that can ask.
pub(super) trait Client: Sized + Send + Sync + 'static {
    fn make(config: &ClientConfig) -> KafkaResult<Self>;

    /// Takes in what librdkafka has to say.
    fn listen(&self, _wait: Duration) {}
}

impl Client for Consumer {
    fn make(config: &ClientConfig) -> KafkaResult<Self> {
        config.create_with_context(Context::default())
    }

    /// Log lines and errors wait in its queue until somebody polls.
    fn listen(&self, wait: Duration) {
        let deadline = Instant::now() + wait;
        while Instant::now() < deadline {
            self.poll(wait);
        }
    }
}

/// Has a thread that listens; that one takes 100 ms to end.
impl Client for Admin {
    fn make(config: &ClientConfig) -> KafkaResult<Self> {
        Self::from_config_and_context(config, Context::default())
    }
}

/// Asks by one client, made for the first question, and anew after one that was not answered.
pub(super) struct Asking<C: Client> {
    config: ClientConfig,
    client: Mutex<Option<Arc<C>>>,
}

impl Asking<Consumer> {
    /// Waits until a broker answers, about ten seconds at most: [`LogError::Refused`] for rejected credentials,
    /// [`LogError::Unreachable`] if none does.
    pub(super) fn wait_for_broker(&self, topic: &str) -> Result<(), LogError> {
        let client = self.client()?;
        let deadline = Instant::now() + REQUEST;
        loop {
            let Err(failure) = client.fetch_metadata(Some(topic), Duration::from_secs(1)) else { return Ok(()) };
            client.listen(Duration::from_millis(100));
            if let Some(refused) = client.context().refusal() {
                return Err(refused);
            }
            if Instant::now() > deadline {
                let brokers = self.config.get("bootstrap.servers").unwrap_or_default();
                let reason = client.context().last_problem().unwrap_or_else(|| failure.to_string());
                return Err(LogError::Unreachable(format!("no answer from {brokers}: {reason}")));
            }
        }
    }
}

impl<C: Client> Asking<C> {
    /// By a client of this configuration.
    pub(super) fn new(config: ClientConfig) -> Self {
        Self { config, client: Mutex::default() }
    }

    /// Asks something. After a question that was not answered the next one is asked by a new client: the old one may
    /// have lost all brokers for good (see [`poll::Contact`]).
    pub(super) fn ask<T>(&self, question: impl FnOnce(&C) -> Result<T, LogError>) -> Result<T, LogError> {
        let client = self.client()?;
        client.listen(Duration::from_millis(1));
        question(&client).inspect_err(|failure| {
            if matches!(failure, LogError::Unreachable(_)) {
                let lost = locked(&self.client).take_if(|current| Arc::ptr_eq(current, &client));
                poll::let_go((lost, client));
            }
        })
    }

    fn client(&self) -> Result<Arc<C>, LogError> {
        let mut current = locked(&self.client);
        if let Some(client) = &*current {
            return Ok(Arc::clone(client));
        }
        let client = C::make(&self.config).map_err(|e| error::failed("wrong Kafka properties", &e))?;
        Ok(Arc::clone(current.insert(Arc::new(client))))
    }
}

impl<C: Client> Drop for Asking<C> {
    fn drop(&mut self) {
        if let Some(client) = locked(&self.client).take() {
            poll::let_go(client);
        }
    }
}
