//! Lines and commands that break exactly one shape or bound.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// One bad line.
#[derive(Debug, Clone)]
pub struct Malformed {
    /// The line as a producer would give it, without its end. It may not even be UTF-8.
    pub line: Vec<u8>,
    /// What is wrong with it.
    pub why: String,
    /// The command, if only a bound is broken, so that it can be encoded and put into the log.
    pub encodable: Option<Value>,
}

/// Every kind of bad line, at least one of each.
pub fn invalid_commands() -> Vec<Malformed> {
    let lines =
        LINES.iter().map(|(line, why)| Malformed { line: line.to_vec(), why: (*why).to_owned(), encodable: None });
    let broken = |(path, value, why): (&str, Value, &str), encodable: bool| {
        let command = with(path, value);
        let line = command.to_string().into_bytes();
        Malformed { line, why: format!("{path}: {why}"), encodable: encodable.then_some(command) }
    };
    let shapes = shapes().into_iter().map(|shape| broken(shape, false));
    let bounds = bounds().into_iter().map(|bound| broken(bound, true));
    lines.chain(shapes).chain(bounds).collect()
}

/// The commands with about one in fifty followed by one that breaks a bound.
pub fn with_bad_input(commands: &[Value], seed: u64) -> Vec<Value> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let bad: Vec<Value> = invalid_commands().into_iter().filter_map(|bad| bad.encodable).collect();
    let mut mixed = Vec::new();
    for command in commands {
        mixed.push(command.clone());
        if rng.random_ratio(1, 50) {
            mixed.push(bad[rng.random_range(0..bad.len())].clone());
        }
    }
    mixed
}

const LINES: &[(&[u8], &str)] = &[
    (b"{", "ends too early"),
    (b"hello", "not JSON"),
    (b"null", "null"),
    (b"42", "a number"),
    (b"\"subscribe\"", "a string"),
    (b"[]", "a list"),
    (b"{}", "nothing in it"),
    (br#"{"command_id":"c1","business_number":"+4930111222"}"#, "no action"),
    (br#"{"command_id":"c1","business_number":"+4930111222","republish":{"service":"desk"}} x"#, "something after it"),
    (br#"{"command_id":"c1","business_number":"+4930111222","republish":{"service":"desk"},}"#, "a comma too many"),
    (br#"{'command_id':'c1'}"#, "single quotes"),
    (
        br#"{"command_id":"c1","business_number":"+4930111222","republish":{"service":"desk"},"unsubscribe":{"service":"desk"}}"#,
        "two actions",
    ),
    (b"{\"command_id\":\"c1\",\"business_number\":\"+4930111222\",\"republish\":{\"service\":\"\xff\"}}", "not UTF-8"),
    (br#"{"command_id":"c1","business_number":"+4930111222","republish":{"service":"\ud800"}}"#, "half a surrogate pair"),
    (
        br#"{"command_id":"c1","business_number":"+4930111222","message":{"customer":"7","content":{"location":{"latitude":1e400}}}}"#,
        "a number that is not finite",
    ),
    (
        br#"{"command_id":"c1","business_number":"+4930111222","message":{"customer":"7","content":{"location":{"latitude":NaN}}}}"#,
        "NaN is not JSON",
    ),
];

/// A valid command of the action that the path begins with (`message` for the command's own fields), with the value at
/// the path replaced; `null` takes the field out.
pub(super) fn with(path: &str, value: Value) -> Value {
    let content = json!({"text": "hello"});
    let (action, body) = match path.split('/').next() {
        Some("subscribe") => ("subscribe", json!({"service": "desk"})),
        Some("unsubscribe") => ("unsubscribe", json!({"service": "desk"})),
        Some("republish") => ("republish", json!({"service": "desk"})),
        Some("reply") => ("reply", json!({"service": "desk", "agent": "mia", "customer": "7", "content": content})),
        Some("pickup") => ("pickup", json!({"service": "desk", "agent": "mia", "customer": "7"})),
        _ => ("message", json!({"customer": "7", "message_id": "wamid.1", "content": content})),
    };
    let mut command = super::command("c1", "+4930111222", action, body);
    let mut place = &mut command;
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        if names.peek().is_none() && value.is_null() {
            place.as_object_mut().map(|object| object.remove(name));
            return command;
        }
        place = &mut place[name];
    }
    *place = value;
    command
}

/// What protobuf could not even say.
fn shapes() -> Vec<(&'static str, Value, &'static str)> {
    let text = json!("hello");
    vec![
        ("colour", json!("red"), "unknown field"),
        ("message/colour", json!("red"), "unknown field"),
        ("subscribe/agent", json!("mia"), "unknown field"),
        ("message/content/colour", json!("red"), "unknown field"),
        ("message/content", json!({"media": {"kind": "IMAGE", "size": 1}}), "unknown field"),
        ("unsubscribe/licence", json!("BUNDLE"), "unknown field"),
        ("subscribe/licence", json!("GOLD"), "unknown enum name"),
        ("subscribe/licence", json!("bundle"), "unknown enum name"),
        ("subscribe/display_others", json!("HIDDEN"), "unknown enum name"),
        ("subscribe/share_own", json!("NONE"), "unknown enum name"),
        ("reply/origin", json!("ROBOT"), "unknown enum name"),
        ("message/content", json!({"media": {"kind": "GIF"}}), "unknown enum name"),
        ("subscribe/service", json!(7), "not a string"),
        ("command_id", json!(7), "not a string"),
        ("business_number", json!(["+4930111222"]), "not a string"),
        ("issued_at_ms", json!("yesterday"), "not a number"),
        ("issued_at_ms", json!(1.5), "not an integer"),
        ("pickup/hold_for_s", json!(-1), "negative"),
        ("pickup/hold_for_s", json!(1.5), "not an integer"),
        ("pickup/take_over", json!("yes"), "not a boolean"),
        ("pickup/release", json!(1), "not a boolean"),
        ("reply/seen_seq", json!(-1), "negative"),
        ("reply/content", json!("hello"), "not an object"),
        ("reply/content", json!({"text": ["hello"]}), "not a string"),
        ("message", json!("hello"), "not an object"),
        ("message", json!([]), "not an object"),
        ("message/content", json!({"interactive": {"options": {"id": "a"}}}), "not a list"),
        ("message/content", json!({"template": {"parameters": "a"}}), "not a list"),
        ("message/content", json!({"location": {"latitude": "north"}}), "not a number"),
        ("message/content", json!({"text": text, "choice": {"id": "a"}}), "two contents"),
        ("reply/content", json!({"text": text, "reaction": {"message_id": "a"}}), "two contents"),
    ]
}

/// What protobuf can say and the contract forbids.
fn bounds() -> Vec<(&'static str, Value, &'static str)> {
    let strings = [
        ("command_id", 64, "bytes"),
        ("message/customer", 64, "bytes"),
        ("reply/customer", 64, "bytes"),
        ("pickup/customer", 64, "bytes"),
        ("reply/agent", 64, "bytes"),
        ("pickup/agent", 64, "bytes"),
        ("subscribe/service", 32, "bytes"),
        ("subscribe/product", 32, "bytes"),
        ("unsubscribe/service", 32, "bytes"),
        ("republish/service", 32, "bytes"),
        ("message/message_id", 256, "bytes"),
        ("message/in_reply_to", 256, "bytes"),
        ("reply/in_reply_to", 256, "bytes"),
        ("message/content/text", 4_096, "characters"),
        ("reply/content/text", 4_096, "characters"),
    ];
    let too_long = strings.map(|(path, max, unit)| (path, json!("x".repeat(max + 1)), unit));
    let mut bounds: Vec<_> = too_long.into_iter().collect();
    bounds.extend(forms());
    bounds.extend(contents().into_iter().map(|(content, why)| ("message/content", content, why)));
    bounds.extend([
        ("message/content", Value::Null, "missing"),
        ("reply/content", Value::Null, "missing"),
        ("message/content/text", json!(""), "empty"),
        ("reply/content/text", json!("🙂".repeat(4_097)), "4,097 characters"),
        ("message/message_id", json!("é".repeat(129)), "258 bytes in 129 characters"),
        ("pickup/hold_for_s", json!(86_401), "more than a day"),
        ("pickup/hold_for_s", json!(u32::MAX), "more than a day"),
    ]);
    bounds
}

/// Names and numbers of a wrong form.
fn forms() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("command_id", Value::Null, "missing"),
        ("command_id", json!(""), "empty"),
        ("command_id", json!("c 1"), "a blank"),
        ("command_id", json!("c/1"), "a slash"),
        ("command_id", json!("ç"), "not ASCII"),
        ("business_number", Value::Null, "missing"),
        ("business_number", json!("4930111222"), "no plus"),
        ("business_number", json!("+1234567"), "7 digits"),
        ("business_number", json!("+1234567890123456"), "16 digits"),
        ("business_number", json!("+49 30111222"), "a blank"),
        ("business_number", json!("+4930111222~crm"), "a channel id"),
        ("business_number", json!("+٤٩٣٠١١١٢٢٢"), "digits that are not ASCII"),
        ("subscribe/service", Value::Null, "missing"),
        ("subscribe/service", json!("Desk"), "an upper case letter"),
        ("subscribe/service", json!("1desk"), "begins with a digit"),
        ("subscribe/service", json!("-desk"), "begins with a hyphen"),
        ("subscribe/service", json!("des_k"), "an underscore"),
        ("subscribe/service", json!("bücher"), "not ASCII"),
        ("subscribe/product", json!("Desk"), "an upper case letter"),
        ("subscribe/product", json!("sales crm"), "a blank"),
        ("unsubscribe/service", Value::Null, "missing"),
        ("republish/service", json!(""), "empty"),
        ("reply/service", Value::Null, "missing"),
        ("reply/service", json!("desk\n"), "a line break"),
        ("reply/agent", Value::Null, "missing, and an agent's reply"),
        ("reply/agent", json!("mia meier"), "a blank"),
        (
            "reply",
            json!({"service": "desk", "agent": "a/b", "customer": "7", "origin": "BOT", "content": {"text": "x"}}),
            "a bot's agent with a slash",
        ),
        ("reply/customer", json!(""), "empty"),
        ("pickup/service", json!("d.sk"), "a dot"),
        ("pickup/agent", Value::Null, "missing"),
        ("pickup/agent", json!("mia+1"), "a plus"),
        ("pickup/customer", Value::Null, "missing"),
        ("message/customer", Value::Null, "missing"),
        ("message/customer", json!("a/b"), "a slash"),
        ("message/customer", json!("a@b"), "an at sign"),
        ("message/customer", json!("ü"), "not ASCII"),
    ]
}

/// Contents beyond a bound.
fn contents() -> Vec<(Value, &'static str)> {
    let id = "i".repeat(257);
    let text = "t".repeat(1_025);
    let options = |count: usize| vec![json!({"id": "o", "title": "t"}); count];
    vec![
        (json!({}), "no content"),
        (json!({"media": {"media_id": "m1"}}), "no kind of media"),
        (json!({"media": {"kind": "IMAGE", "media_id": id}}), "media id of 257 bytes"),
        (json!({"media": {"kind": "IMAGE", "mime_type": text}}), "1,025 characters"),
        (json!({"media": {"kind": "IMAGE", "caption": "ß".repeat(1_025)}}), "1,025 characters"),
        (json!({"media": {"kind": "DOCUMENT", "filename": text}}), "1,025 characters"),
        (json!({"location": {"latitude": 90.000_001}}), "beyond the pole"),
        (json!({"location": {"latitude": -91}}), "beyond the pole"),
        (json!({"location": {"longitude": 180.5}}), "beyond the date line"),
        (json!({"location": {"longitude": -1e308}}), "beyond the date line"),
        (json!({"location": {"name": text}}), "1,025 characters"),
        (json!({"location": {"address": text}}), "1,025 characters"),
        (json!({"choice": {"id": id}}), "choice id of 257 bytes"),
        (json!({"choice": {"title": text}}), "1,025 characters"),
        (json!({"interactive": {"text": "Choose"}}), "no options"),
        (json!({"interactive": {"text": "Choose", "options": []}}), "no options"),
        (json!({"interactive": {"text": "Choose", "options": options(11)}}), "11 options"),
        (json!({"interactive": {"text": text, "options": options(1)}}), "1,025 characters"),
        (json!({"interactive": {"options": [{"id": id}]}}), "option id of 257 bytes"),
        (json!({"interactive": {"options": [{"title": text}]}}), "1,025 characters"),
        (json!({"template": {"name": text}}), "1,025 characters"),
        (json!({"template": {"language": text}}), "1,025 characters"),
        (json!({"template": {"parameters": vec!["p"; 101]}}), "101 parameters"),
        (json!({"template": {"parameters": [text]}}), "1,025 characters"),
        (json!({"template": {"parameters": vec!["p".repeat(1_024); 100]}}), "more than 64 KiB"),
        (json!({"reaction": {"message_id": id}}), "message id of 257 bytes"),
        (json!({"reaction": {"message_id": "m", "emoji": text}}), "1,025 characters"),
        (json!({"unsupported": {"type": text}}), "1,025 characters"),
    ]
}
