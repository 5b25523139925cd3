//! Unique texts in replies, so that a leak can be found by looking for them.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// The commands with each reply's content replaced by a text `MARK-<service>-<n>-<random>`, and every (service, marker)
/// of them. A reply that is sent again keeps its marker. Nothing but the reply itself contains it.
pub fn with_markers(commands: &[Value], seed: u64) -> (Vec<Value>, Vec<(String, String)>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut known: BTreeMap<[String; 4], String> = BTreeMap::new();
    let mut marked = commands.to_vec();
    let mut markers = Vec::new();
    for command in &mut marked {
        let reply = &command["reply"];
        if !reply.is_object() {
            continue;
        }
        let fields = [&command["business_number"], &command["command_id"], &reply["service"], &reply["customer"]];
        let identity = fields.map(|field| field.as_str().unwrap_or_default().to_owned());
        let service = identity[2].clone();
        let marker = known.entry(identity).or_insert_with(|| {
            let marker = format!("MARK-{service}-{}-{:016x}", markers.len(), rng.random::<u64>());
            markers.push((service, marker.clone()));
            marker
        });
        command["reply"]["content"] = json!({"text": *marker});
    }
    (marked, markers)
}

/// The commands with every subscriber keeping its replies to itself.
pub fn all_masked(commands: &[Value]) -> Vec<Value> {
    let mut masked = commands.to_vec();
    for subscribe in masked.iter_mut().filter_map(|command| command.get_mut("subscribe")) {
        subscribe["share_own"] = json!("MASKED");
    }
    masked
}
