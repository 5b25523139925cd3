//! Reading one value: typed in TOML, always text in flags and in the environment.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use figment::value::Value;

/// A value as text, as it is shown.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Bool(_, truth) => Some(truth.to_string()),
        Value::Num(_, number) => match (number.to_i128(), number.to_u128(), number.to_f64()) {
            (Some(whole), _, _) => Some(whole.to_string()),
            (_, Some(whole), _) => Some(whole.to_string()),
            (_, _, Some(broken)) => Some(broken.to_string()),
            _ => None,
        },
        Value::Char(_, one) => Some(one.to_string()),
        Value::Array(_, items) => items.iter().map(text).collect::<Option<Vec<_>>>().map(|items| items.join(",")),
        Value::Dict(..) | Value::Empty(..) => None,
    }
}

/// A value that is one piece of text, not empty.
pub(super) fn word(value: &Value) -> Result<String, String> {
    let read = if matches!(value, Value::Array(..)) { None } else { text(value) };
    read.filter(|text| !text.trim().is_empty()).ok_or_else(|| "must be text".to_owned())
}

/// A whole number within bounds.
pub(super) fn number<T>(value: &Value, range: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    let read = text(value).and_then(|text| text.trim().parse().ok()).filter(|number| range.contains(number));
    read.ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
}

/// `true` or `false`.
pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    match text(value).as_deref().map(str::trim) {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// A list, or text with commas in it.
pub(super) fn list(value: &Value) -> Result<Vec<String>, String> {
    let read = text(value).ok_or_else(|| "must be a list".to_owned())?;
    Ok(read.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
}
