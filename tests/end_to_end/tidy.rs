//! The rules of this repository, as far as a program can check them: who may name whom, what stays out of the rules'
//! crate, how long a file is, what lies at the top.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const LINES_MAX: usize = 400;

/// What may lie at the top: what the project is, and what tools need.
const TOP: [&str; 8] =
    ["Cargo.toml", "crates", "proto", "docker-compose.yml", "scripts", "tests", "README.md", "LICENSE"];
const TOP_FOR_TOOLS: [&str; 2] = ["Cargo.lock", "target"];

/// A library that one crate hides, as a word of the source and as the beginning of a dependency's name.
const HIDDEN: [(&str, &str); 4] = [("wire", "prost"), ("log", "rdkafka"), ("log", "rusqlite"), ("store", "sled")];

/// It measures every part, with nothing between.
const NAMES_ALL: &str = "bench";

/// Which crates of the workspace each may use; those that may use all are not in it.
const LAYERS: [(&str, &[&str]); 5] = [
    ("ledger", &[]),
    ("wire", &["ledger"]),
    ("log", &[]),
    ("store", &[]),
    ("projector", &["ledger", "wire", "log", "store"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn crates() -> Vec<String> {
    entries(&root().join("crates"))
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every Rust file below a folder: its path from the top, and its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder).into_iter().map(|name| folder.join(name)) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no Rust file");
    found
}

fn all_sources() -> Vec<(String, String)> {
    [sources("crates"), sources("tests")].concat()
}

/// The code alone, without comments.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn has_word(text: &str, word: &str) -> bool {
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].bytes().next_back().is_some_and(is_of_word);
        let after = text[at + word.len()..].bytes().next().is_some_and(is_of_word);
        !before && !after
    })
}

/// The dependencies of a crate, of every kind.
fn dependencies(name: &str) -> BTreeSet<String> {
    let mut section = "";
    let manifest = manifest(name);
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]")
            && let Some((dependency, _)) = line.split_once(['=', '.'])
        {
            found.insert(dependency.trim().to_owned());
        }
    }
    found
}

fn manifest(name: &str) -> String {
    fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap()
}

/// Fails with every complaint, not only the first.
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let lines = |text: &str| text.lines().count();
    let long = all_sources().into_iter().filter(|(_, text)| lines(text) > LINES_MAX);
    none(
        long.map(|(name, text)| format!("{name} has {} lines, at most {LINES_MAX} are allowed", lines(&text)))
            .collect(),
    );
}

#[test]
fn every_file_begins_with_its_map() {
    let bare = all_sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    none(bare.map(|(name, _)| format!("{name} does not begin with //!")).collect());
}

#[test]
fn libraries_stay_hidden() {
    let mut complaints = Vec::new();
    for name in crates().iter().filter(|name| *name != NAMES_ALL) {
        for (_, library) in HIDDEN.iter().filter(|(owner, _)| owner != name) {
            let depends = dependencies(name).into_iter().filter(|dependency| dependency.starts_with(library));
            complaints.extend(depends.map(|dependency| format!("crates/{name} depends on {dependency}")));
            let files = sources(&format!("crates/{name}"));
            let naming = files.iter().filter(|(_, text)| {
                let code = code(text);
                has_word(&code, &format!("use {library}")) || code.contains(&format!("{library}::"))
            });
            complaints.extend(naming.map(|(file, _)| format!("{file} names {library}")));
        }
    }
    none(complaints);
}

#[test]
fn layers_are_kept() {
    let mut complaints = Vec::new();
    for (name, allowed) in LAYERS {
        let ours =
            dependencies(name).into_iter().filter_map(|found| found.strip_prefix("partyline-").map(str::to_owned));
        let wrong = ours.filter(|found| !allowed.contains(&found.as_str()));
        complaints.extend(wrong.map(|found| format!("crates/{name} uses crates/{found}")));
    }
    none(complaints);
}

#[test]
fn the_rules_are_pure() {
    assert_eq!(dependencies("ledger"), BTreeSet::from(["thiserror".to_owned()]));
    let forbidden = [
        "HashMap",
        "HashSet",
        "Instant",
        "SystemTime",
        "async",
        "prost",
        "serde",
        "unsafe",
        "static",
        "thread",
        "rand",
        "std::env",
        "std::fs",
        "std::io",
        "std::net",
        "std::process",
        "println!",
        "eprintln!",
    ];
    let mut complaints = Vec::new();
    for (file, text) in sources("crates/ledger") {
        let code = code(&text).replace("'static", "");
        complaints
            .extend(forbidden.iter().filter(|word| has_word(&code, word)).map(|word| format!("{file} has {word}")));
    }
    none(complaints);
}

#[test]
fn two_files_are_unsafe() {
    let unsafe_files: Vec<_> = sources("crates")
        .into_iter()
        .filter(|(_, text)| has_word(&code(text), "unsafe"))
        .map(|(file, _)| file)
        .collect();
    assert_eq!(unsafe_files, ["consume", "produce"].map(|name| format!("crates/log/src/kafka/{name}.rs")));
}

#[test]
fn projector_owns_no_thread_and_no_clock() {
    let mut complaints = Vec::new();
    for (file, text) in sources("crates/projector/src") {
        let code = code(&text);
        let forbidden = ["thread::", "Instant::now", "SystemTime::now", "std::env"];
        complaints
            .extend(forbidden.iter().filter(|word| code.contains(**word)).map(|word| format!("{file} has {word}")));
    }
    none(complaints);
}

#[test]
fn nothing_is_left_undone_or_asleep() {
    // Written in two parts, so that this file does not find itself.
    let forbidden = [["#[ign", "ore"], ["thread::sl", "eep"], ["to", "do!"], ["unimple", "mented!"], ["db", "g!"]];
    let mut complaints = Vec::new();
    for (file, text) in all_sources() {
        let found = forbidden.map(|parts| parts.concat()).into_iter().filter(|word| code(&text).contains(word));
        complaints.extend(found.map(|word| format!("{file} has {word}")));
    }
    none(complaints);
}

#[test]
fn every_crate_keeps_the_workspaces_lints() {
    let lax = crates().into_iter().filter(|name| !manifest(name).contains("[lints]\nworkspace = true\n"));
    none(lax.map(|name| format!("crates/{name} has no lints.workspace = true")).collect());
}

#[test]
fn the_top_holds_what_it_should() {
    let found = entries(&root());
    let known = |name: &str| name.starts_with('.') || TOP.contains(&name) || TOP_FOR_TOOLS.contains(&name);
    let strange = found.iter().filter(|name| !known(name)).map(|name| format!("{name} does not belong at the top"));
    let missing = TOP.iter().filter(|name| !found.iter().any(|found| found == *name));
    none(strange.chain(missing.map(|name| format!("{name} is missing at the top"))).collect());
}
