//! What an entry says, in text that is safe to print.

use serde_json::Value;

/// The content of an entry as text. Never fails: what is not known is said to be so.
pub fn text(content: &Value) -> String {
    let Some((kind, body)) = content.as_object().and_then(|fields| fields.iter().next()) else {
        return "[nothing]".to_owned();
    };
    let part = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let text = match kind.as_str() {
        "text" => body.as_str().unwrap_or_default().to_owned(),
        "media" => join(&format!("[{}]", part("kind").to_lowercase()), &[part("caption"), part("filename")]),
        "location" => {
            let degrees = |name: &str| body.get(name).and_then(Value::as_f64).unwrap_or_default();
            let place = format!("({:.5}, {:.5})", degrees("latitude"), degrees("longitude"));
            join("[location]", &[part("name"), part("address"), &place])
        }
        "choice" => join("[chose]", &[if part("title").is_empty() { part("id") } else { part("title") }]),
        "interactive" => join(part("text"), &[&options(body)]),
        "template" => join(&format!("[template {}]", part("name")), &[&parameters(body)]),
        "reaction" if part("emoji").is_empty() => "[took a reaction back]".to_owned(),
        "reaction" => join("[reacted]", &[part("emoji")]),
        "unsupported" => join("[not supported]", &[part("type")]),
        other => format!("[{other}]"),
    };
    safe(&text)
}

fn options(body: &Value) -> String {
    let options = body.get("options").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let titles = options.iter().filter_map(|option| option.get("title")?.as_str());
    titles.map(|title| format!("[{title}]")).collect::<Vec<_>>().join(" ")
}

fn parameters(body: &Value) -> String {
    let parameters = body.get("parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    parameters.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn join(first: &str, rest: &[&str]) -> String {
    let parts = std::iter::once(first).chain(rest.iter().copied());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Takes out what would move the cursor, colour the terminal or turn the reading direction: texts come from anybody.
pub fn safe(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !turns(*c)).map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

/// The beginning of a text on one line, at most `max_chars` characters.
pub fn snippet(text: &str, max_chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max_chars) {
        None => line,
        Some(_) => line.chars().take(max_chars.saturating_sub(1)).chain(['…']).collect(),
    }
}
