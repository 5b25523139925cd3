//! Rule 1: a command must have the right shape and keep every bound. One table of fields for each message.

use serde_json::{Map, Value, json};

const MAX_ENCODED_BYTES: usize = 64 * 1024;
const ACTIONS: &[Field] = &[
    ("subscribe", Record(SUBSCRIBE)),
    ("unsubscribe", Record(SERVICE_ONLY)),
    ("message", Record(MESSAGE)),
    ("reply", Record(REPLY)),
    ("pickup", Record(PICKUP)),
    ("republish", Record(SERVICE_ONLY)),
];
const HEAD: &[Field] = &[
    ("command_id", Form(|text| is_of(text, 64, "._:-"))),
    ("business_number", Form(is_number)),
    ("issued_at_ms", Integer(i64::MIN, i64::MAX)),
];
const SUBSCRIBE: &[Field] = &[
    ("service", Form(is_service)),
    ("product", Form(|text| text.is_empty() || is_service(text))),
    ("licence", Name(&["BUNDLE", "STANDALONE", "UPGRADED_PORTAL"])),
    ("display_others", Name(&["FULL", "MASKED"])),
    ("share_own", Name(&["FULL", "MASKED"])),
];
const SERVICE_ONLY: &[Field] = &[("service", Form(is_service))];
const MESSAGE: &[Field] = &[
    ("customer", Form(is_customer)),
    ("message_id", Id),
    ("sent_at_ms", Integer(i64::MIN, i64::MAX)),
    ("content", OneOf(CONTENT)),
    ("in_reply_to", Id),
];
const REPLY: &[Field] = &[
    ("service", Form(is_service)),
    ("agent", Form(|text| text.is_empty() || is_agent(text))),
    ("customer", Form(is_customer)),
    ("origin", Name(&["AGENT", "BOT", "AUTO_REPLY", "WORKFLOW", "NOTIFICATION"])),
    ("content", OneOf(CONTENT)),
    ("seen_seq", Integer(0, i64::MAX)),
    ("in_reply_to", Id),
];
const PICKUP: &[Field] = &[
    ("service", Form(is_service)),
    ("agent", Form(is_agent)),
    ("customer", Form(is_customer)),
    ("hold_for_s", Integer(0, 86_400)),
    ("take_over", Flag),
    ("release", Flag),
];
const CONTENT: &[Field] = &[
    ("text", Form(|text| (1..=4_096).contains(&text.chars().count()))),
    ("media", Record(MEDIA)),
    (
        "location",
        Record(&[("latitude", Degrees(90.0)), ("longitude", Degrees(180.0)), ("name", Text), ("address", Text)]),
    ),
    ("choice", Record(CHOICE)),
    ("interactive", Record(&[("text", Text), ("options", List(1, 10, &Record(CHOICE)))])),
    ("template", Record(&[("name", Text), ("language", Text), ("parameters", List(0, 100, &Text))])),
    ("reaction", Record(&[("message_id", Id), ("emoji", Text)])),
    ("unsupported", Record(&[("type", Text)])),
];
const MEDIA: &[Field] = &[
    ("kind", Required(&["IMAGE", "VIDEO", "AUDIO", "DOCUMENT", "STICKER"])),
    ("media_id", Id),
    ("mime_type", Text),
    ("caption", Text),
    ("filename", Text),
];
const CHOICE: &[Field] = &[("id", Id), ("title", Text)];

type Field = (&'static str, Kind);

#[derive(Clone, Copy)]
enum Kind {
    /// A string of its own form.
    Form(fn(&str) -> bool),
    /// At most 1,024 characters.
    Text,
    /// At most 256 bytes.
    Id,
    Integer(i64, i64),
    Flag,
    /// An enum's name, or nothing for its default.
    Name(&'static [&'static str]),
    /// An enum's name.
    Required(&'static [&'static str]),
    /// A coordinate between the negative and the positive of this.
    Degrees(f64),
    Record(&'static [Field]),
    /// Exactly one of the fields.
    OneOf(&'static [Field]),
    /// Between so many and so many.
    List(usize, usize, &'static Kind),
}
use Kind::{Degrees, Flag, Form, Id, Integer, List, Name, OneOf, Record, Required, Text};

/// The name and the body of a valid command's action.
///
/// # Errors
/// Says what is wrong with the command: a field's name and no more.
pub fn validate(command: &Value) -> Result<(&'static str, &Value), String> {
    let object = command.as_object().ok_or("not an object")?;
    let (head, actions): (Map<String, Value>, Map<String, Value>) =
        object.clone().into_iter().partition(|(name, _)| HEAD.iter().any(|(field, _)| field == name));
    check(&json!(head), Record(HEAD), "command")?;
    check(&json!(actions), OneOf(ACTIONS), "action")?;
    let set = ACTIONS.iter().find(|(name, _)| command[*name].is_object());
    let (name, _) = set.ok_or("no action")?;
    let action = &command[*name];
    let by_agent = *name == "reply" && matches!(action["origin"].as_str(), None | Some("AGENT"));
    if by_agent && action["agent"].as_str().unwrap_or_default().is_empty() {
        return Err("agent".to_owned());
    }
    if encoded_len(command) > MAX_ENCODED_BYTES {
        return Err("encoded length".to_owned());
    }
    Ok((name, action))
}

fn check(value: &Value, kind: Kind, name: &str) -> Result<(), String> {
    let string = || if value.is_null() { Some("") } else { value.as_str() };
    let ok = match kind {
        Form(is_valid) => string().is_some_and(is_valid),
        Text => string().is_some_and(|text| text.chars().count() <= 1_024),
        Id => string().is_some_and(|text| text.len() <= 256),
        Integer(min, max) => value.is_null() || value.as_i64().is_some_and(|number| (min..=max).contains(&number)),
        Flag => value.is_null() || value.is_boolean(),
        Name(names) => value.is_null() || value.as_str().is_some_and(|text| names.contains(&text)),
        Required(names) => value.as_str().is_some_and(|text| names.contains(&text)),
        Degrees(max) => value.is_null() || value.as_f64().is_some_and(|number| number.abs() <= max),
        Record(fields) => return check_fields(value, fields, name, false),
        OneOf(fields) => return check_fields(value, fields, name, true),
        List(min, max, kind) => {
            let empty = Vec::new();
            let items = if value.is_null() { Some(&empty) } else { value.as_array() };
            let count_is_right = items.is_some_and(|items| (min..=max).contains(&items.len()));
            count_is_right
                && items.into_iter().flatten().all(|item| !item.is_null() && check(item, *kind, name).is_ok())
        }
    };
    if ok { Ok(()) } else { Err(name.to_owned()) }
}

fn check_fields(value: &Value, fields: &[Field], name: &str, exactly_one: bool) -> Result<(), String> {
    let object = value.as_object().ok_or_else(|| name.to_owned())?;
    if let Some(unknown) = object.keys().find(|key| fields.iter().all(|(field, _)| field != key)) {
        return Err(format!("{name}: unknown field {unknown}"));
    }
    let set = object.values().filter(|value| !value.is_null()).count();
    if exactly_one && set != 1 {
        return Err(format!("{name}: {set} instead of one"));
    }
    for (field, kind) in fields {
        let value = &value[*field];
        if exactly_one && value.is_null() {
            continue;
        }
        check(value, *kind, field)?;
    }
    Ok(())
}

/// Bytes of the command in protobuf, if every field number is below 16.
fn encoded_len(value: &Value) -> usize {
    let delimited = |bytes: usize| 1 + varint_len(bytes as u64) + bytes;
    let field = |name: &str, value: &Value| match value {
        Value::String(_) if ["licence", "display_others", "share_own", "origin", "kind"].contains(&name) => 2,
        Value::Number(_) if ["latitude", "longitude"].contains(&name) => 9,
        Value::Number(number) => 1 + varint_len(number.as_i64().unwrap_or_default() as u64),
        Value::Bool(_) => 2,
        Value::Null => 0,
        Value::Array(items) => items.iter().map(|item| delimited(encoded_len(item))).sum(),
        Value::String(_) | Value::Object(_) => delimited(encoded_len(value)),
    };
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| field(name, value)).sum(),
        Value::String(text) => text.len(),
        _ => 0,
    }
}

fn varint_len(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

/// The same without fields that are empty, zero or false, as the JSON of rows has it. Messages stay, even empty.
pub fn without_defaults(value: &Value) -> Value {
    let Some(object) = value.as_object() else {
        return match value.as_array() {
            Some(items) => items.iter().map(without_defaults).collect(),
            None => value.clone(),
        };
    };
    let mut kept = Map::new();
    for (name, value) in object {
        let is_default = match value {
            Value::Null => true,
            Value::Bool(flag) => !flag,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(_) => false,
        };
        if is_default {
            continue;
        }
        let is_degrees = name == "latitude" || name == "longitude";
        kept.insert(name.clone(), if is_degrees { json!(value.as_f64()) } else { without_defaults(value) });
    }
    Value::Object(kept)
}

fn is_of(text: &str, max_bytes: usize, punctuation: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || punctuation.contains(c);
    (1..=max_bytes).contains(&text.len()) && text.chars().all(allowed)
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_customer(text: &str) -> bool {
    is_of(text, 64, "+._:-")
}

fn is_agent(text: &str) -> bool {
    is_of(text, 64, "._:@-")
}

fn is_service(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=32).contains(&text.len()) && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(allowed)
}
