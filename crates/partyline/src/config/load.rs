//! The layers on top of each other; every mistake is reported, not only the first.

use std::{collections::BTreeMap, ffi::OsString, fmt, path::PathBuf};

use figment::{Figment, value::Value};
use partyline_log::kafka::check_property;
use partyline_projector::{Layout, Settings};

use super::{
    Config, LogAddress, LogFormat,
    keys::{KEYS, is_secret},
    layers::{KAFKA, Layer},
    show::Shown,
    value::{text, word},
};
use crate::{cli::Global, exit::Usage};

/// The configuration, and where each value came from.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every setting, for people.
    pub shown: Vec<Shown>,
}

/// Reads flags, environment and file.
///
/// # Errors
/// Names every unknown key and every wrong value, a line each.
pub fn load(global: &Global, env: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Loaded, Usage> {
    let mut mistakes = Vec::new();
    let mut figment = Figment::new();
    if let Some(path) = &global.config {
        match Layer::file(path) {
            Ok(layer) => figment = figment.merge(layer),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    figment = figment.merge(Layer::environment(env, &mut mistakes));
    figment = figment.merge(Layer::from(global.flags(&mut mistakes)));

    let mut config = base(global.json);
    let mut shown = kafka(&figment, &mut config, &mut mistakes);
    let mut given = BTreeMap::new();
    for key in KEYS {
        let Ok(value) = figment.find_value(key.name) else { continue };
        let source = source(&figment, &value);
        if let Err(problem) = (key.read)(&mut config, &value) {
            mistakes.push(format!("{} ({source}): {problem}", key.name));
        }
        given.insert(key.name, (text(&value).unwrap_or_default(), source));
    }
    mistakes.extend(unknown(&figment));
    if !mistakes.is_empty() {
        return Err(Usage(format!("wrong configuration\n  {}", mistakes.join("\n  "))));
    }
    if config.log == LogAddress::Embedded(PathBuf::new()) {
        config.log = LogAddress::Embedded(Layout::new(&config.data).embedded_log());
        given.entry("log").and_modify(|(value, _)| *value = config.log.to_string());
    }
    let settings = KEYS.iter().map(|key| {
        let (value, source) = given.remove(key.name).unwrap_or_else(|| ((key.default)(&config), "default".to_owned()));
        Shown { key: key.name.to_owned(), value, source, about: key.about }
    });
    let mut all: Vec<_> = settings.collect();
    all.append(&mut shown);
    Ok(Loaded { config, shown: all })
}

/// What holds before anybody said anything.
fn base(json: bool) -> Config {
    let platform = directories::ProjectDirs::from("", "", "partyline");
    Config {
        log: LogAddress::Embedded(PathBuf::new()),
        data: platform.map_or_else(|| PathBuf::from("partyline-data"), |dirs| dirs.data_dir().to_owned()),
        prefix: "partyline".to_owned(),
        // Each adds requests to every transaction; one projector is faster than any business number may send.
        partitions: 2,
        replication_factor: -1,
        work: Settings::default(),
        kafka: BTreeMap::new(),
        log_format: LogFormat::Text,
        verbosity: 0,
        json,
    }
}

/// The table of librdkafka's properties.
fn kafka(figment: &Figment, config: &mut Config, mistakes: &mut Vec<String>) -> Vec<Shown> {
    let properties = match figment.find_value(KAFKA) {
        Ok(Value::Dict(_, properties)) => properties,
        Ok(value) => {
            mistakes.push(format!("{KAFKA} ({}): must be a table of librdkafka's properties", source(figment, &value)));
            return Vec::new();
        }
        Err(_) => return Vec::new(),
    };
    let mut shown = Vec::new();
    for (name, value) in properties {
        let (key, source) = (format!("{KAFKA}.{name}"), source(figment, &value));
        match word(&value) {
            Err(problem) => mistakes.push(format!("{key} ({source}): {problem}")),
            Ok(text) => {
                if let Err(problem) = check_property(&name, &text) {
                    let problem = if is_secret(&name) { "is not taken by librdkafka".to_owned() } else { problem };
                    mistakes.push(format!("{key} ({source}): {problem}"));
                }
                let value = if is_secret(&name) { "(secret)".to_owned() } else { text.clone() };
                shown.push(Shown { key, value, source, about: "librdkafka's property" });
                config.kafka.insert(name, text);
            }
        }
    }
    shown
}

fn unknown(figment: &Figment) -> Vec<String> {
    let Ok(all) = figment.find_value("") else { return Vec::new() };
    let Some(all) = all.into_dict() else { return Vec::new() };
    let known = |name: &str| name == KAFKA || KEYS.iter().any(|key| key.name == name);
    let strangers = all.iter().filter(|(name, _)| !known(name));
    strangers.map(|(name, value)| format!("{name} ({}): there is no such setting", source(figment, value))).collect()
}

/// Where a value came from.
fn source(figment: &Figment, value: &Value) -> String {
    let metadata = figment.get_metadata(value.tag());
    metadata.map_or_else(
        || "unknown".to_owned(),
        |metadata| match metadata.source.as_ref().and_then(|source| source.file_path()) {
            Some(path) => format!("{} {}", metadata.name, path.display()),
            None => metadata.name.to_string(),
        },
    )
}

impl fmt::Display for LogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(dir) => write!(f, "embedded:{}", dir.display()),
            Self::Kafka(brokers) => write!(f, "kafka:{brokers}"),
        }
    }
}
