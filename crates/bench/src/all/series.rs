//! What each measurement said each time, and its medians and ranges.

use serde::Serialize;
use serde_json::{Map, Value};

/// All measurements, in the order in which they were first made.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct All(Vec<One>);

/// The same measurement, again and again.
#[derive(Debug, Serialize)]
pub struct One {
    /// Which.
    pub what: &'static str,
    /// With which size or rate.
    pub variant: String,
    /// Of each number: median, low and high.
    pub summary: Value,
    /// What it said.
    pub runs: Vec<Value>,
}

/// Median and range of a few values.
#[derive(Debug, Clone, Copy, Serialize)]
#[allow(missing_docs)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl All {
    /// Adds a run.
    pub fn add(&mut self, what: &'static str, variant: &str, said: Value) {
        let found = self.0.iter().position(|one| one.what == what && one.variant == variant);
        let index = found.unwrap_or(self.0.len());
        if found.is_none() {
            let variant = variant.to_owned();
            self.0.push(One { what, variant, summary: Value::Null, runs: Vec::new() });
        }
        if let Some(one) = self.0.get_mut(index) {
            one.runs.push(said);
            one.summary = summary(&one.runs.iter().collect::<Vec<_>>());
        }
    }

    /// All variants of a measurement.
    pub fn of(&self, what: &str) -> impl Iterator<Item = &One> {
        self.0.iter().filter(move |one| one.what == what)
    }
}

impl One {
    /// Of a number that every run said; a path's parts are joined by `.`.
    pub fn spread(&self, path: &str) -> Option<Spread> {
        let values: Vec<f64> = self.runs.iter().filter_map(|said| at(said, path)).collect();
        (!values.is_empty()).then(|| Spread::of(values))
    }

    /// Whether something held in every run.
    pub fn always(&self, name: &str) -> bool {
        self.runs.iter().all(|said| said.get(name).and_then(Value::as_bool) == Some(true))
    }
}

impl Spread {
    /// Of an even number of values, the median is the mean of the two in the middle.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let last = values.len().saturating_sub(1);
        Self { median: (at(last / 2) + at(last.div_ceil(2))) / 2.0, low: at(0), high: at(last) }
    }
}

/// A number in what was said.
pub fn at(said: &Value, path: &str) -> Option<f64> {
    path.split('.').try_fold(said, |value, name| value.get(name))?.as_f64()
}

/// The same shape as the runs have, with a [`Spread`] for each number; of anything else, what the first one said.
fn summary(runs: &[&Value]) -> Value {
    match runs.first() {
        Some(Value::Number(_)) => {
            let spread = Spread::of(runs.iter().filter_map(|value| value.as_f64()).collect());
            serde_json::to_value(spread).unwrap_or_default()
        }
        Some(Value::Object(first)) => {
            let of = |name: &String| summary(&runs.iter().filter_map(|run| run.get(name)).collect::<Vec<_>>());
            Value::Object(first.keys().map(|name| (name.clone(), of(name))).collect::<Map<_, _>>())
        }
        Some(other) => (*other).clone(),
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn medians() {
        for (values, median) in [(vec![], 0.0), (vec![3.0], 3.0), (vec![9.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0], 2.5)] {
            let spread = Spread::of(values.clone());
            assert!((spread.median - median).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn runs_are_summed_up_number_by_number() {
        let mut all = All::default();
        for (rate, held) in [(10, true), (30, false), (20, true)] {
            all.add("latency", "100", json!({ "a": { "rate": rate }, "held": held, "name": "x" }));
        }
        all.add("latency", "200", json!({ "a": { "rate": 1 } }));
        let first = all.of("latency").next().unwrap();
        let rate = json!({ "median": 20.0, "low": 10.0, "high": 30.0 });
        assert_eq!(first.summary, json!({ "a": { "rate": rate }, "held": true, "name": "x" }));
        assert!((first.spread("a.rate").unwrap().median - 20.0).abs() < 1e-9);
        assert!(first.spread("a.other").is_none());
        assert!(!first.always("held"));
    }
}
