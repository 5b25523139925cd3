//! Why a line of JSON is not a command: the path of the field that is wrong, and what it may be. Asked only about
//! lines that were refused. Never quotes a value: it could be what a customer wrote.

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor};
use serde_json::{Map, Value};

use crate::{Invalid, strict};

/// A longer name of a field is not repeated. Bytes.
const NAME_BYTES_MAX: usize = 64;

/// What is wrong with a line that could not be read as this message.
pub fn explain(descriptor: &MessageDescriptor, line: &str) -> Invalid {
    let value = match serde_json::from_str(line) {
        Ok(value) => value,
        Err(error) => return wrong("", format!("is not JSON: {}", syntax(&error))),
    };
    if let Err(invalid) = message(descriptor, &value, "") {
        return invalid;
    }
    // Each field by itself is as it should be, so one is there more than once.
    wrong("", strict::check(descriptor, line).map_or_else(|error| syntax(&error), |()| "cannot be read".to_owned()))
}

/// What serde_json says of broken syntax, without "line 1": a command is always one line.
fn syntax(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    format!("{text} at column {}", error.column())
}

fn message(descriptor: &MessageDescriptor, value: &Value, path: &str) -> Result<(), Invalid> {
    let Value::Object(fields) = value else { return Err(wrong(path, "must be an object".to_owned())) };
    for (name, value) in fields {
        let known = descriptor.get_field_by_name(name);
        let Some(descriptor) = known else { return Err(unknown(descriptor, name, path)) };
        if !value.is_null() {
            field(&descriptor, value, &join(path, descriptor.name()))?;
        }
    }
    descriptor.oneofs().try_for_each(|oneof| at_most_one(&oneof, fields, path))
}

fn field(descriptor: &FieldDescriptor, value: &Value, path: &str) -> Result<(), Invalid> {
    if !descriptor.is_list() {
        return single(&descriptor.kind(), value, path);
    }
    let Value::Array(items) = value else { return Err(wrong(path, "must be a list".to_owned())) };
    items.iter().enumerate().try_for_each(|(n, item)| single(&descriptor.kind(), item, &format!("{path}[{n}]")))
}

fn single(kind: &Kind, value: &Value, path: &str) -> Result<(), Invalid> {
    let (is_right, expected) = match kind {
        Kind::Message(descriptor) => return message(descriptor, value, path),
        Kind::String => (value.is_string(), "a string".to_owned()),
        Kind::Bool => (value.is_boolean(), "true or false".to_owned()),
        Kind::Double => (is_number(value), "a number".to_owned()),
        Kind::Int64 => integer(value, i64::MIN.into(), i64::MAX.into()),
        Kind::Uint32 => integer(value, 0, u32::MAX.into()),
        Kind::Uint64 => integer(value, 0, u64::MAX.into()),
        Kind::Enum(descriptor) => {
            let is_name = value.as_str().is_some_and(|name| strict::is_value(descriptor, name));
            (is_name, format!("one of {}", names(descriptor)))
        }
        _ => (true, String::new()),
    };
    if is_right { Ok(()) } else { Err(wrong(path, format!("must be {expected}"))) }
}

fn is_number(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok())
}

/// Whether it is an integer of this range, as protobuf's JSON writes one: a number, or a string of digits.
fn integer(value: &Value, min: i128, max: i128) -> (bool, String) {
    let found = match value {
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Some(i128::from(number)),
            (_, Some(number), _) => Some(i128::from(number)),
            (_, _, Some(number)) if number.fract() == 0.0 => Some(number as i128),
            _ => None,
        },
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    };
    (found.is_some_and(|found| (min..=max).contains(&found)), format!("an integer from {min} to {max}"))
}

/// The names of an enum, without the one that stands for nothing said.
fn names(descriptor: &EnumDescriptor) -> String {
    let said = descriptor.values().filter(|value| value.number() != 0);
    said.map(|value| value.name().to_owned()).collect::<Vec<_>>().join(", ")
}

fn at_most_one(oneof: &OneofDescriptor, fields: &Map<String, Value>, path: &str) -> Result<(), Invalid> {
    let is_given = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    let all = oneof.fields().map(|field| field.name().to_owned()).collect::<Vec<_>>();
    let given = all.iter().filter(|name| is_given(name)).cloned().collect::<Vec<_>>();
    if given.len() < 2 {
        return Ok(());
    }
    let place = if path.is_empty() { oneof.name() } else { path };
    Err(wrong(place, format!("must be exactly one of {}, is {}", all.join(", "), given.join(" and "))))
}

fn unknown(descriptor: &MessageDescriptor, name: &str, path: &str) -> Invalid {
    let known = descriptor.fields().map(|field| field.name().to_owned()).collect::<Vec<_>>().join(", ");
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_name) {
        return wrong(path, format!("has an unknown field; known here: {known}"));
    }
    wrong(&join(path, name), format!("is unknown; known here: {known}"))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// An empty path is the line itself.
fn wrong(path: &str, problem: String) -> Invalid {
    let field = if path.is_empty() { "line" } else { path };
    Invalid { field: field.to_owned().into(), problem }
}
