//! What people said, from real dialogues: the file that `PARTYLINE_TEST_DATA` names, else the sample of `demo`.

use std::{
    env,
    fs::File,
    io::{BufRead as _, BufReader, Read},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use flate2::read::MultiGzDecoder;
use serde_json::Value;

/// The texts of this many dialogues are kept ...
const DIALOGUES: usize = 2_000;
/// ... that have so many bytes: 80 on average.
const BYTES: RangeInclusive<usize> = 55..=140;

/// Reads them.
///
/// # Errors
/// If the file cannot be read or holds no dialogue.
pub fn texts() -> anyhow::Result<Vec<String>> {
    let sample = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../partyline/demo/dialogues.jsonl");
    let path = env::var_os("PARTYLINE_TEST_DATA").map_or_else(sample, PathBuf::from);
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    let gzipped = path.extension().is_some_and(|extension| extension == "gz");
    let bytes: Box<dyn Read> = if gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut texts = Vec::new();
    for line in BufReader::new(bytes).lines().take(DIALOGUES) {
        let dialogue: Value = serde_json::from_str(&line?).with_context(|| path.display().to_string())?;
        let turns = dialogue.get("turns").and_then(Value::as_array).into_iter().flatten();
        let said = turns.filter_map(|turn| turn.get("text")?.as_str());
        texts.extend(said.filter(|text| BYTES.contains(&text.len())).map(str::to_owned));
    }
    ensure!(!texts.is_empty(), "{}: no dialogues", path.display());
    Ok(texts)
}
