//! `view rows`: every row as a line of JSON.

use std::io::Write;

use partyline_wire::row_to_json;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Ask, Screen, pages::each_row};

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Value>,
    #[serde(flatten)]
    row: Map<String, Value>,
}

/// Prints the rows whose keys begin with `prefix`.
pub(super) fn show(prefix: &str, ask: &mut Ask<'_>, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    let out = &mut *screen.out;
    each_row(ask, prefix, &mut |key, value| line(out, key, value))
}

/// Prints one row. A value that this program cannot read is said to be so, in its place.
pub(super) fn line(out: &mut dyn Write, key: &[u8], value: &[u8]) -> anyhow::Result<()> {
    let mut row = match row_to_json(value) {
        Some(Value::Object(row)) => row,
        _ => Map::from_iter([("unreadable_bytes".to_owned(), Value::from(value.len()))]),
    };
    let key = String::from_utf8_lossy(key);
    let cause = row.remove("cause");
    serde_json::to_writer(&mut *out, &Line { key: &key, cause, row }).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}
