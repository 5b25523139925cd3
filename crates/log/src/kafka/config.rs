//! librdkafka's configuration for each kind of client: our defaults, the user's properties over them, and over those
//! what correctness rests on and nobody may change.

use std::collections::BTreeMap;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel, error::KafkaError};

use crate::LogError;

/// The time-out of a group session and of a transaction; a crashed member holds its successor up for this long.
/// Transactional calls get somewhat more, so that the broker's verdict comes first.
pub(super) const SESSION_MS: &str = "10000";

/// Properties that the user may not set, because what this crate promises rests on them.
const RESERVED: &[&str] = &[
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "delivery.report.only.error",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "isolation.level",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "partitioner",
    "request.required.acks",
    "transactional.id",
];

const COMMON: &[(&str, &str)] = &[
    ("client.id", "partyline"),
    // A client that knows brokers but none that is up looks at another one each half of this: a start waits for that.
    ("reconnect.backoff.ms", "20"),
    // A restarted broker is back in seconds; the default backs off to ten of them.
    ("reconnect.backoff.max.ms", "1000"),
    ("log.connection.close", "false"),
];

/// What every consumer reads with. At most 8 MB lie fetched ahead, and an answer adds 1 MB at most: small records cost
/// librdkafka more than their size. Replay was not faster with more. A whole answer may be of one partition: what is
/// folded in a row is then about fewer conversations, and the store writes each less often.
const FETCHING: &[(&str, &str)] = &[
    ("queued.min.messages", "16000"),
    ("queued.max.messages.kbytes", "8192"),
    ("fetch.message.max.bytes", "1048576"),
    ("fetch.max.bytes", "1048576"),
    // The default of a second stalls a reader whose queue was full for a moment.
    ("fetch.queue.backoff.ms", "5"),
    // A broker's answer that waits for records holds up what is asked after it: a start, another partition.
    ("fetch.wait.max.ms", "100"),
];

const CONSUMING: &[(&str, &str)] = &[
    ("isolation.level", "read_committed"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    // The only way to learn that transactions' markers at the end have been passed.
    ("enable.partition.eof", "true"),
];

/// What every producer writes with. `queue.buffering` bounds what is under way, in records and KB. Nothing is compressed,
/// as is librdkafka's default: a small batch would hardly become smaller, a large one costs more than sending it.
const SENDING: &[(&str, &str)] = &[
    ("queue.buffering.max.messages", "200000"),
    ("queue.buffering.max.kbytes", "32768"),
    ("batch.num.messages", "100000"),
    ("batch.size", "1000000"),
    // A dead letter is as large as any record that the brokers take by default, and has headers.
    ("message.max.bytes", "2097152"),
    // A topic that does not exist is reported within the transaction's time-out.
    ("topic.metadata.propagation.max.ms", "5000"),
];

/// And transactions besides.
const COMMITTING: &[(&str, &str)] = &[
    ("transaction.timeout.ms", SESSION_MS),
    // Each handing over would wake librdkafka up, to send a little. So it waits for the rest of a part; after the last
    // part it does not.
    ("linger.ms", "5"),
    // Positions right after another transaction are put off by the broker until that one's markers are written:
    // milliseconds, where the default would wait for 100.
    ("retry.backoff.ms", "10"),
];

const PRODUCING: &[(&str, &str)] =
    &[("enable.idempotence", "true"), ("acks", "all"), ("partitioner", "murmur2_random")];

/// What is wrong with one of librdkafka's properties, as far as that can be told without opening anything: it is not
/// there, its value cannot be, or it is not the user's to set.
///
/// # Errors
/// What is wrong; it may quote the value.
pub fn check_property(name: &str, value: &str) -> Result<(), String> {
    if RESERVED.contains(&name) {
        return Err("is set by partyline itself".to_owned());
    }
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(_, why, ..)) => Err(why),
        Err(other) => Err(other.to_string()),
    }
}

/// Where the brokers are and what the user set.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) bootstrap: String,
    pub(super) properties: BTreeMap<String, String>,
}

impl Settings {
    /// Refuses properties that are ours to set, or that are none.
    pub(super) fn check(&self) -> Result<(), LogError> {
        let wrong = |(name, value): (&String, &String)| Some(format!("{name}: {}", check_property(name, value).err()?));
        let wrong: Vec<String> = self.properties.iter().filter_map(wrong).collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(LogError::Refused(format!("wrong Kafka properties: {}", wrong.join("; "))))
        }
    }

    /// A consumer that only asks, and is of no group.
    pub(super) fn asker(&self) -> ClientConfig {
        self.build(&[], &[CONSUMING])
    }

    /// A consumer that reads given partitions, or asks for positions, as `group` but without joining it.
    pub(super) fn reader(&self, group: &str) -> ClientConfig {
        self.build(&[FETCHING], &[CONSUMING, &[("group.id", group)]])
    }

    /// A static member of the group.
    pub(super) fn member(&self, group: &str, member: &str) -> ClientConfig {
        let membership = [
            ("group.id", group),
            ("group.instance.id", member),
            ("group.protocol", "classic"),
            ("partition.assignment.strategy", "cooperative-sticky"),
        ];
        // A member learns of a rebalance from a heartbeat.
        let pace = [("session.timeout.ms", SESSION_MS), ("heartbeat.interval.ms", "500")];
        self.build(&[FETCHING, &pace], &[CONSUMING, &membership])
    }

    /// One of the member's transactional producers.
    pub(super) fn transactional(&self, group: &str, member: &str, lane: usize) -> ClientConfig {
        let id = format!("{group}.{member}.{lane}");
        self.build(
            &[SENDING, COMMITTING],
            // An event for each row would cost more than sending it.
            &[PRODUCING, &[("transactional.id", &id), ("delivery.report.only.error", "true")]],
        )
    }

    /// A producer of single records. It lingers for none: many at once fill its batches while others are under way.
    pub(super) fn publisher(&self) -> ClientConfig {
        self.build(&[SENDING, &[("linger.ms", "0"), ("delivery.timeout.ms", "120000")]], &[PRODUCING])
    }

    /// A client for administration.
    pub(super) fn admin(&self) -> ClientConfig {
        self.build(&[], &[])
    }

    fn build(&self, defaults: &[&[(&str, &str)]], fixed: &[&[(&str, &str)]]) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in COMMON.iter().chain(defaults.iter().copied().flatten()) {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        for (name, value) in fixed.iter().copied().flatten() {
            config.set(*name, *value);
        }
        config.set("bootstrap.servers", &self.bootstrap);
        let talkative = self.properties.contains_key("debug");
        config.set_log_level(if talkative { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
        config
    }
}

#[cfg(test)]
mod tests {
    use super::{Settings, check_property};

    fn settings(properties: &[(&str, &str)]) -> Settings {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Settings { bootstrap: "h:1".to_owned(), properties: properties.iter().map(own).collect() }
    }

    #[test]
    fn the_users_properties_go_over_the_defaults() {
        let config = settings(&[("linger.ms", "50"), ("sasl.username", "me")]).publisher();
        assert_eq!(config.get("linger.ms"), Some("50"));
        assert_eq!(config.get("sasl.username"), Some("me"));
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("bootstrap.servers"), Some("h:1"));
    }

    #[test]
    fn every_fixed_property_is_reserved() {
        for name in super::CONSUMING.iter().chain(super::PRODUCING).map(|(name, _)| *name) {
            let refused = settings(&[(name, "x")]).check().expect_err(name);
            assert!(refused.to_string().contains(name), "{refused}");
        }
        settings(&[("security.protocol", "SSL")]).check().expect("may be set");
    }

    #[test]
    fn a_property_can_be_checked_by_itself() {
        assert_eq!(check_property("sasl.password", "hunter2"), Ok(()));
        assert_eq!(check_property("acks", "1").unwrap_err(), "is set by partyline itself");
        assert!(check_property("colour", "red").unwrap_err().contains("No such configuration property"));
        for (name, value) in
            [("socket.timeout.ms", "soon"), ("security.protocol", "magic"), ("socket.timeout.ms", "-1")]
        {
            let why = check_property(name, value).expect_err(name);
            assert!(why.contains(name), "{why}");
        }
    }

    #[test]
    fn a_member_is_static_and_its_transactions_bear_its_name() {
        let settings = settings(&[]);
        assert_eq!(settings.member("g", "m").get("group.instance.id"), Some("m"));
        assert_eq!(settings.transactional("g", "m", 1).get("transactional.id"), Some("g.m.1"));
    }
}
