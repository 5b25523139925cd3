//! Times and durations for people.

use jiff::Timestamp;

/// A log time in UTC: `2025-11-23 01:30:05`.
pub fn utc(at_ms: i64) -> String {
    shown(at_ms, "%Y-%m-%d %H:%M:%S")
}

/// The same without seconds, where columns are scarce.
pub fn utc_minute(at_ms: i64) -> String {
    shown(at_ms, "%Y-%m-%d %H:%M")
}

fn shown(at_ms: i64, format: &str) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) => at.strftime(format).to_string(),
        Err(_) => format!("{at_ms} ms"),
    }
}

/// A duration, in its largest unit.
pub fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} days", s / 86_400),
    }
}

/// How long ago, or how long to go.
pub fn between(from_ms: i64, to_ms: i64) -> String {
    span(from_ms.abs_diff(to_ms))
}
