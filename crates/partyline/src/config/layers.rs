//! Where values come from. Every layer is flat: `kafka` alone is a table, of librdkafka's dotted names.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use figment::{
    Error, Metadata, Profile, Provider, Source,
    providers::{Format as _, Toml},
    value::{Dict, Map, Value},
};

/// How the environment's names begin.
const ENV_PREFIX: &str = "PARTYLINE_";
/// Names that begin so and are no settings: the file's own, and what tests, measurements and scripts use.
const NOT_SETTINGS: &[&str] = &["CONFIG", "KAFKA", "KAFKA_HOME", "PYTHON"];
const NO_SETTINGS_PREFIXES: [&str; 2] = ["TEST_", "BENCH_"];
/// `PARTYLINE_KAFKA_SECURITY_PROTOCOL` is librdkafka's `security.protocol`.
const ENV_KAFKA: &str = "KAFKA_";
/// The table of librdkafka's properties.
pub(super) const KAFKA: &str = "kafka";

/// The values of one source.
pub(super) struct Layer {
    name: &'static str,
    file: Option<PathBuf>,
    values: Dict,
}

/// Settings given as flags.
#[derive(Debug, Default)]
pub struct Flags {
    values: Dict,
}

impl Flags {
    /// Sets a setting.
    pub fn set(&mut self, key: &str, value: impl std::fmt::Display) {
        self.values.insert(key.to_owned(), Value::from(value.to_string()));
    }

    /// Sets a property of librdkafka.
    pub fn property(&mut self, name: &str, value: &str) {
        put_property(&mut self.values, name.to_owned(), Value::from(value));
    }
}

impl From<Flags> for Layer {
    fn from(flags: Flags) -> Self {
        Self { name: "flag", file: None, values: flags.values }
    }
}

impl Layer {
    /// The environment; what is not UTF-8 in it is a mistake.
    pub fn environment(vars: impl IntoIterator<Item = (OsString, OsString)>, mistakes: &mut Vec<String>) -> Self {
        let mut values = Dict::new();
        for (name, value) in vars {
            let Some(name) = name.to_str().and_then(|name| name.strip_prefix(ENV_PREFIX)) else { continue };
            if NOT_SETTINGS.contains(&name) || NO_SETTINGS_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            let Some(value) = value.to_str() else {
                mistakes.push(format!("{ENV_PREFIX}{name} (environment): is not UTF-8"));
                continue;
            };
            match name.strip_prefix(ENV_KAFKA) {
                Some(property) => {
                    put_property(&mut values, property.to_ascii_lowercase().replace('_', "."), Value::from(value));
                }
                None => {
                    values.insert(name.to_ascii_lowercase(), Value::from(value));
                }
            }
        }
        Self { name: "environment", file: None, values }
    }

    /// A TOML file.
    ///
    /// # Errors
    /// If it cannot be read or is no TOML.
    pub fn file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        // Only what is wrong and where: the line itself may hold a secret.
        let mut values: Dict = Toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            format!("{}, line {}: {}", path.display(), before.matches('\n').count() + 1, error.message())
        })?;
        if let Some(Value::Dict(tag, nested)) = values.remove(KAFKA) {
            let mut flat = Dict::new();
            flatten(String::new(), nested, &mut flat);
            values.insert(KAFKA.to_owned(), Value::Dict(tag, flat));
        }
        Ok(Self { name: "file", file: Some(path.to_owned()), values })
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        match &self.file {
            Some(path) => Metadata::from(self.name, Source::File(path.clone())),
            None => Metadata::named(self.name),
        }
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn put_property(values: &mut Dict, name: String, value: Value) {
    let table = values.entry(KAFKA.to_owned()).or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, properties) = table {
        properties.insert(name, value);
    }
}

/// TOML reads `sasl.mechanism = ...` as a table in a table.
fn flatten(prefix: String, nested: Dict, flat: &mut Dict) {
    for (name, value) in nested {
        let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Dict(_, deeper) => flatten(name, deeper, flat),
            value => {
                flat.insert(name, value);
            }
        }
    }
}
