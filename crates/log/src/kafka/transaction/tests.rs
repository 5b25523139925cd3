//! Against a broker of librdkafka's own, that fails when it is told to.

use std::collections::BTreeMap;

use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use super::*;

struct Scene {
    cluster: MockCluster<'static, DefaultProducerContext>,
    view: Arc<str>,
    transactions: Transactions,
}

impl Scene {
    fn new() -> Self {
        let topics = Topics::new("test");
        let view = topics.view("desk");
        let cluster = MockCluster::new(1).unwrap();
        for topic in [&topics.commands, &view] {
            cluster.create_topic(topic, 1, 1).unwrap();
        }
        let settings = Settings { bootstrap: cluster.bootstrap_servers(), properties: BTreeMap::new() };
        let producer = Transactions::prepare(&settings, &topics, "one", 0).unwrap();
        let member = settings.member(&topics.group, "one").create_with_context(Context::default()).unwrap();
        let transactions = Transactions::new(producer, Arc::new(member), topics.commands);
        Self { cluster, view, transactions }
    }

    /// Hands over a part of one row, and the position behind it.
    fn write(&mut self) {
        let mut part = Batch::default();
        let (key, value) = (part.write(|bytes| bytes.push(1)), part.write(|bytes| bytes.push(2)));
        let target = part.target(&self.view, 0);
        part.push(target, key, value);
        part.commit(0, 1, String::new());
        self.transactions.write(part).unwrap();
    }

    /// Completes and commits what was handed over; how many parts came back.
    fn commit(&mut self) -> Result<usize, LogError> {
        let parts = self.transactions.complete()?;
        self.transactions.commit()?;
        Ok(parts.len())
    }
}

#[test]
fn done_again_after_each_rebalance() {
    let mut scene = Scene::new();
    let rebalanced = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION; 3];
    scene.cluster.request_errors(RDKafkaApiKey::TxnOffsetCommit, &rebalanced);
    scene.write();
    scene.write();
    assert_eq!(scene.commit().unwrap(), 2);
    scene.write();
    assert_eq!(scene.commit().unwrap(), 1);
}

#[test]
fn done_again_after_rows_were_dropped() {
    let mut scene = Scene::new();
    // Nothing is sent meanwhile.
    scene.cluster.broker_round_trip_time(-1, Duration::from_millis(100)).unwrap();
    scene.write();
    scene.transactions.producer().purge(PurgeConfig::default().queue());
    assert_eq!(scene.commit().unwrap(), 1);
}

#[test]
fn not_done_again_when_a_row_is_refused() {
    let mut scene = Scene::new();
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED];
    scene.cluster.request_errors(RDKafkaApiKey::Produce, &refused);
    scene.write();
    assert!(matches!(scene.commit(), Err(LogError::Refused(_))));
}
