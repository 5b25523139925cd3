//! The demo's facts as JSON lines.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::{
    Told,
    scene::{Moment, Seen, What},
    story::{CUSTOMER, NUMBER, SERVICES},
};

/// Prints every fact as one object a line, with its kind in `fact`.
pub(super) fn print(told: &Told, out: &mut dyn Write) -> std::io::Result<()> {
    for (service, (before, after)) in SERVICES.iter().zip(told.before.iter().zip(&told.after)) {
        let line = json!({
            "fact": "service", "service": service, "business_number": NUMBER,
            "display_others": before.display_others, "share_own": before.share_own,
            "parent_before": before.parent == *service, "parent_after": after.parent == *service,
            "subscribed_after": after.subscribed,
        });
        writeln!(out, "{line}")?;
    }
    for moment in &told.scene.moments {
        writeln!(out, "{}", fact(moment))?;
    }
    for proof in &told.proofs {
        let line = json!({
            "fact": "proof", "service": proof.service, "rows": proof.rows, "masked": proof.masked,
            "digest_of_view": proof.view, "digest_of_replay": proof.replay, "equal": proof.holds(),
        });
        writeln!(out, "{line}")?;
    }
    let counts = told.counts;
    let line = json!({
        "fact": "counts", "conversations": told.story.conversations, "commands": counts.commands,
        "rejected": counts.rejected, "duplicates": counts.duplicates, "invalid": counts.invalid,
        "rows": counts.rows, "seconds": told.seconds,
    });
    writeln!(out, "{line}")
}

fn fact(moment: &Moment) -> Value {
    let seen = SERVICES.iter().zip(&moment.seen).map(|(service, seen)| {
        let seen = match seen {
            Seen::Nothing => Value::Null,
            Seen::Masked => json!({ "masked": true }),
            Seen::Text(text) => json!({ "text": text }),
        };
        ((*service).to_owned(), seen)
    });
    let seen: Map<String, Value> = seen.collect();
    let mut fact = match &moment.what {
        What::Entry { seq, who } => json!({ "fact": "entry", "customer": CUSTOMER, "seq": seq, "who": who }),
        What::Warning(kind) => json!({ "fact": "warning", "customer": CUSTOMER, "kind": kind }),
        What::Rejection(reason) => json!({ "fact": "rejection", "reason": reason }),
        What::Channel => json!({ "fact": "channel" }),
    };
    fact["seen"] = Value::Object(seen);
    fact
}
