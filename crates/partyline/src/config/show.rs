//! `partyline config show`: each value and where it came from. Secrets are never shown.

use std::io::{self, Write as _};

use super::Config;
use crate::exit::Exit;

/// One setting, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its name.
    pub key: String,
    /// Its value; `(secret)` where that is one.
    pub value: String,
    /// Where it came from: `flag`, `environment`, `file PATH` or `default`.
    pub source: String,
    /// What it is for.
    pub about: &'static str,
}

/// Prints all settings.
///
/// # Errors
/// If stdout cannot be written.
pub fn run(config: &Config, shown: &[Shown]) -> anyhow::Result<Exit> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let width = |of: fn(&Shown) -> &str| shown.iter().map(|one| of(one).chars().count()).max().unwrap_or_default();
    let (keys, values, sources) = (width(|s| &s.key), width(|s| &s.value).min(40), width(|s| &s.source).min(30));
    for Shown { key, value, source, about } in shown {
        if config.json {
            writeln!(out, "{}", serde_json::json!({ "key": key, "value": value, "source": source }))?;
        } else {
            writeln!(out, "{key:keys$}  {value:values$}  {source:sources$}  {about}")?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}
