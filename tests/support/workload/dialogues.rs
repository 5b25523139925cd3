//! Real conversations: one a line, `{id, services[], turns[{speaker, services[], text}]}`, plain or gzipped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

/// A conversation between one customer and one or more services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialogue {
    /// The data set's name for it.
    pub id: String,
    /// What was said, in order.
    pub turns: Vec<Turn>,
}

/// One thing said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Said by the customer; otherwise by a service.
    pub by_customer: bool,
    /// The data set's names of the services it belongs to.
    pub services: Vec<String>,
    /// The words.
    pub text: String,
}

/// Up to `limit` dialogues, from all over the file that `PARTYLINE_TEST_DATA` names, else of the shared data beside the
/// workspace, else of the sample that the repository ships.
///
/// # Errors
/// The file cannot be read or a line is not a dialogue.
pub fn dialogues(limit: usize) -> io::Result<Vec<Dialogue>> {
    load(&path(), limit)
}

/// Up to `limit` dialogues, from all over a file, gzipped if its name ends in `.gz`.
///
/// # Errors
/// As [`dialogues`].
pub fn load(path: &Path, limit: usize) -> io::Result<Vec<Dialogue>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(named)?;
    let gzipped = path.extension().is_some_and(|extension| extension == "gz");
    let bytes: Box<dyn Read> = if gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let lines: Vec<String> = BufReader::new(bytes).lines().collect::<Result<_, _>>().map_err(named)?;
    let every = lines.len().div_ceil(limit.max(1)).max(1);
    let parsed = lines.iter().step_by(every).map(|line| parse(line).ok_or_else(|| io::Error::other("not a dialogue")));
    parsed.collect::<io::Result<_>>().map_err(named)
}

fn path() -> PathBuf {
    if let Some(path) = std::env::var_os("PARTYLINE_TEST_DATA") {
        return path.into();
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = workspace.join("../shared/data/sgd-train.jsonl.gz");
    if shared.exists() { shared } else { workspace.join("crates/partyline/demo/dialogues.jsonl") }
}

fn parse(line: &str) -> Option<Dialogue> {
    let value: Value = serde_json::from_str(line).ok()?;
    let turns = value["turns"].as_array()?.iter().map(turn).collect::<Option<_>>()?;
    Some(Dialogue { id: value["id"].as_str()?.to_owned(), turns })
}

fn turn(value: &Value) -> Option<Turn> {
    let services = value["services"].as_array()?.iter();
    Some(Turn {
        by_customer: value["speaker"] == "USER",
        services: services.map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        text: value["text"].as_str()?.to_owned(),
    })
}
