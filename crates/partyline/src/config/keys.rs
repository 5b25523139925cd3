//! Every setting: its name, what it is for, how its value is read, and what it is when nobody sets it.

use std::{fs, path::PathBuf, time::Duration};

use figment::value::Value;
use partyline_ledger::Service;

use super::{
    Config, LogAddress, LogFormat,
    value::{boolean, list, number, word},
};

/// One setting.
pub(super) struct Key {
    pub name: &'static str,
    /// Its unit and meaning, for `config show`.
    pub about: &'static str,
    /// Reads a value into the configuration.
    pub read: fn(&mut Config, &Value) -> Result<(), String>,
    /// What holds when it is not set.
    pub default: fn(&Config) -> String,
}

const KB: usize = 1 << 10;
const MB: usize = 1 << 20;
const NOTHING: fn(&Config) -> String = |_| String::new();

/// All settings but the table `kafka`.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "log",
        about: "embedded:DIR or kafka:HOST:PORT[,HOST:PORT]",
        read: |c, v| put(&mut c.log, address(&word(v)?)),
        default: |c| c.log.to_string(),
    },
    Key {
        name: "data",
        about: "directory of the stores",
        read: |c, v| put(&mut c.data, word(v).map(PathBuf::from)),
        default: |c| c.data.display().to_string(),
    },
    Key {
        name: "prefix",
        about: "how the topics' names begin",
        read: |c, v| put(&mut c.prefix, prefix(word(v)?)),
        default: |c| c.prefix.clone(),
    },
    Key {
        name: "partitions",
        about: "of a log that is made, fixed for its life",
        read: |c, v| put(&mut c.partitions, number(v, 1..=1_024)),
        default: |c| c.partitions.to_string(),
    },
    Key {
        name: "replication_factor",
        about: "of Kafka topics that are made; -1: the brokers' default",
        read: |c, v| match number(v, -1..=32)? {
            0 => Err("must be -1 or a whole number from 1 to 32".to_owned()),
            factor => put(&mut c.replication_factor, Ok(factor)),
        },
        default: |c| c.replication_factor.to_string(),
    },
    Key {
        name: "create_topics",
        about: "whether missing view topics are made",
        read: |c, v| put(&mut c.work.create_topics, boolean(v)),
        default: |c| c.work.create_topics.to_string(),
    },
    Key {
        name: "services",
        about: "whose rows are published; empty: everybody's",
        read: |c, v| {
            let names = list(v)?;
            if let Some(bad) = names.iter().find_map(|name| Service::new(name).err()) {
                return Err(format!("each name {bad}"));
            }
            c.work.services = (!names.is_empty()).then(|| names.into_iter().collect());
            Ok(())
        },
        default: NOTHING,
    },
    Key {
        name: "batch_commands",
        about: "a transaction takes at most so many commands",
        read: |c, v| put(&mut c.work.batch_commands, number(v, 1..=1_000_000)),
        default: |c| c.work.batch_commands.to_string(),
    },
    Key {
        name: "batch_mb",
        about: "... and no more once its rows have so many MB",
        read: |c, v| put(&mut c.work.batch_bytes, number(v, 1..=256).map(|mb: usize| mb * MB)),
        default: |c| (c.work.batch_bytes / MB).to_string(),
    },
    Key {
        name: "batch_ms",
        about: "... or once it is so many milliseconds old",
        read: |c, v| put(&mut c.work.batch_age, number(v, 1..=5_000).map(Duration::from_millis)),
        default: |c| c.work.batch_age.as_millis().to_string(),
    },
    Key {
        name: "part_kb",
        about: "its rows go on their way before it is complete once they are so many KB",
        read: |c, v| put(&mut c.work.part_bytes, number(v, 1..=65_536).map(|kb: usize| kb * KB)),
        default: |c| (c.work.part_bytes / KB).to_string(),
    },
    Key {
        name: "checkpoint_s",
        about: "a checkpoint is taken after so many seconds",
        read: |c, v| put(&mut c.work.checkpoint_age, number(v, 1..=3_600).map(Duration::from_secs)),
        default: |c| c.work.checkpoint_age.as_secs().to_string(),
    },
    Key {
        name: "checkpoint_commands",
        about: "... or after so many commands",
        read: |c, v| put(&mut c.work.checkpoint_commands, number(v, 1..=100_000_000)),
        default: |c| c.work.checkpoint_commands.to_string(),
    },
    Key {
        name: "dirty_mb",
        about: "... or once changes take so many MB of memory",
        read: |c, v| put(&mut c.work.dirty_bytes, number(v, 1..=65_536).map(|mb: usize| mb * MB)),
        default: |c| (c.work.dirty_bytes / MB).to_string(),
    },
    Key {
        name: "cache_mb",
        about: "records kept in memory, changed ones included, MB",
        read: |c, v| put(&mut c.work.cache_bytes, number(v, 1..=65_536).map(|mb: usize| mb * MB)),
        default: |c| (c.work.cache_bytes / MB).to_string(),
    },
    Key {
        name: "sled_cache_mb",
        about: "sled's own cache, MB",
        read: |c, v| put(&mut c.work.sled_cache_bytes, number(v, 1..=65_536).map(|mb: u64| mb * MB as u64)),
        default: |c| (c.work.sled_cache_bytes / MB as u64).to_string(),
    },
    Key {
        name: "position_s",
        about: "a view topic says how fresh it is at least every so many seconds",
        read: |c, v| put(&mut c.work.position_age, number(v, 1..=3_600).map(Duration::from_secs)),
        default: |c| c.work.position_age.as_secs().to_string(),
    },
    Key {
        name: "log_format",
        about: "log lines on stderr: text or json",
        read: |c, v| {
            c.log_format = match word(v)?.as_str() {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err("must be text or json".to_owned()),
            };
            Ok(())
        },
        default: |_| "text".to_owned(),
    },
    Key {
        name: "verbosity",
        about: "more or fewer log lines than usual, -2 to 3",
        read: |c, v| put(&mut c.verbosity, number(v, -2..=3)),
        default: |c| c.verbosity.to_string(),
    },
    Key {
        name: "sasl_password_file",
        about: "file with librdkafka's sasl.password",
        read: |c, v| secret(c, "sasl.password", v),
        default: NOTHING,
    },
    Key {
        name: "sasl_oauthbearer_client_secret_file",
        about: "file with librdkafka's sasl.oauthbearer.client.secret",
        read: |c, v| secret(c, "sasl.oauthbearer.client.secret", v),
        default: NOTHING,
    },
    Key {
        name: "ssl_key_password_file",
        about: "file with librdkafka's ssl.key.password",
        read: |c, v| secret(c, "ssl.key.password", v),
        default: NOTHING,
    },
    Key {
        name: "ssl_keystore_password_file",
        about: "file with librdkafka's ssl.keystore.password",
        read: |c, v| secret(c, "ssl.keystore.password", v),
        default: NOTHING,
    },
];

/// Whether the value of a librdkafka property must never be shown.
pub(super) fn is_secret(property: &str) -> bool {
    ["password", "secret", "key.pem", "oauthbearer.config", "assertion"].iter().any(|part| property.contains(part))
}

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

fn address(text: &str) -> Result<LogAddress, String> {
    let wrong = || "must be embedded:DIR or kafka:HOST:PORT[,HOST:PORT]".to_owned();
    let is_broker = |broker: &str| {
        broker.rsplit_once(':').is_some_and(|(host, port)| !host.trim().is_empty() && port.parse::<u16>().is_ok())
    };
    match text.split_once(':') {
        Some(("embedded", dir)) => Ok(LogAddress::Embedded(PathBuf::from(dir))),
        Some(("kafka", brokers)) if brokers.split(',').all(is_broker) => Ok(LogAddress::Kafka(brokers.to_owned())),
        _ => Err(wrong()),
    }
}

/// What Kafka allows in a topic's name, and short enough for what follows.
fn prefix(text: String) -> Result<String, String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let valid = text.len() <= 100 && text.bytes().all(good);
    if valid { Ok(text) } else { Err("must be 1 to 100 bytes of [A-Za-z0-9._-]".to_owned()) }
}

fn secret(config: &mut Config, property: &str, path: &Value) -> Result<(), String> {
    let path = word(path)?;
    let secret = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let secret = secret.trim_end_matches(['\r', '\n']).to_owned();
    match config.kafka.insert(property.to_owned(), secret) {
        None => Ok(()),
        Some(_) => Err(format!("kafka.{property} is set too; only one of them can be")),
    }
}
