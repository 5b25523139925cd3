//! Contents of every kind.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const WORDS: [&str; 12] = [
    "parcel",
    "Grüße",
    "訂單",
    "заказ",
    "مرحبا",
    "🙂",
    "👩‍👩‍👧",
    "e\u{301}",
    "\"quoted\"",
    "back\\slash",
    "line\nbreak",
    "\u{0}nul",
];

/// A content of any kind; one in fifty lies exactly at a bound.
pub fn any(rng: &mut ChaCha8Rng) -> Value {
    if rng.random_ratio(1, 50) {
        return at_a_bound(rng);
    }
    match rng.random_range(0..20) {
        0 => media(rng, "a caption"),
        1 => {
            json!({"location": {"latitude": f64::from(rng.random_range(-900_000..=900_000)) / 10_000.0, "longitude": 13, "name": "Hof", "address": words(rng)}})
        }
        2 => json!({"choice": {"id": format!("c{}", rng.random_range(0..9)), "title": words(rng)}}),
        3 => interactive(rng.random_range(1..=3)),
        4 => json!({"template": {"name": "order_update", "language": "de", "parameters": [words(rng), "", "3"]}}),
        5 => json!({"reaction": {"message_id": "wamid.A1", "emoji": *["👍", ""].choose(rng).unwrap_or(&"")}}),
        6 => json!({"unsupported": {"type": "order"}}),
        7 => empty(rng),
        _ => json!({"text": words(rng)}),
    }
}

/// A few words in several scripts.
pub fn words(rng: &mut ChaCha8Rng) -> String {
    let count = rng.random_range(1..6);
    (0..count).filter_map(|_| WORDS.choose(rng).copied()).collect::<Vec<_>>().join(" ")
}

/// Contents with nothing in them that the contract does not require.
fn empty(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..7) {
        0 => json!({"media": {"kind": "STICKER"}}),
        1 => json!({"location": {}}),
        2 => json!({"choice": {}}),
        3 => json!({"interactive": {"options": [{}]}}),
        4 => json!({"template": {}}),
        5 => json!({"reaction": {"message_id": "", "emoji": ""}}),
        _ => json!({"unsupported": {"type": ""}}),
    }
}

fn at_a_bound(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..7) {
        0 => json!({"text": "🙂".repeat(4_096)}),
        1 => json!({"text": "x"}),
        2 => media(rng, &"ß".repeat(1_024)),
        3 => json!({"location": {"latitude": -90.0, "longitude": 180, "name": "訂".repeat(1_024)}}),
        4 => interactive(10),
        5 => json!({"template": {"name": "t", "language": "en", "parameters": vec!["p"; 100]}}),
        _ => json!({"choice": {"id": "é".repeat(128), "title": "t".repeat(1_024)}}),
    }
}

fn media(rng: &mut ChaCha8Rng, caption: &str) -> Value {
    let kind = *["IMAGE", "VIDEO", "AUDIO", "DOCUMENT", "STICKER"].choose(rng).unwrap_or(&"IMAGE");
    json!({"media": {"kind": kind, "media_id": "m1", "mime_type": "image/jpeg", "caption": caption, "filename": "a.jpg"}})
}

fn interactive(options: usize) -> Value {
    let options: Vec<_> =
        (0..options).map(|n| json!({"id": format!("o{n}"), "title": format!("Option {n}")})).collect();
    json!({"interactive": {"text": "Choose", "options": options}})
}
