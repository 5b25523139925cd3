//! Log lines on stderr, as text or JSON. Never with what a message says in them.

use std::{
    io::{self, IsTerminal as _},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, LevelFilter, dynamic_filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::config::{Config, LogFormat};

/// librdkafka says the same for every connection and every attempt: one of its lines in this time is enough.
const LIBRDKAFKA: Duration = Duration::from_secs(10);

/// Starts logging. A verb that stays says more than one that prints a result.
pub fn start(config: &Config, is_worker: bool) {
    let ours = match config.verbosity + i8::from(is_worker) {
        ..0 => "error",
        0 => "warn",
        1 => "info",
        2 => "debug",
        3.. => "trace",
    };
    let others = if config.verbosity >= 3 { "debug" } else { "warn" };
    let librdkafka = match config.verbosity {
        ..0 => "error",
        0 => "warn",
        1.. => "debug",
    };
    // Every crate of ours begins with this name.
    let levels = EnvFilter::new(format!("{others},partyline={ours},librdkafka={librdkafka}"));
    let seldom = Seldom::new(if config.verbosity > 0 { Duration::ZERO } else { LIBRDKAFKA });
    // What may be said at all is known beforehand: libraries that trace would ask for every line otherwise.
    let most = levels.max_level_hint().unwrap_or(LevelFilter::TRACE);
    let seldom = dynamic_filter_fn(move |event, _| event.target() != "librdkafka" || seldom.again());
    let filter = levels.and(seldom.with_max_level_hint(most));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match config.log_format {
        LogFormat::Json => lines.json().boxed(),
        LogFormat::Text => {
            let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
            lines.with_ansi(colours).with_target(false).boxed()
        }
    };
    // It can only fail where somebody else logs already, in tests.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
}

/// Lets something happen once in a while.
struct Seldom {
    every: Duration,
    began: Instant,
    /// Milliseconds after the begin, when it may happen again.
    next_ms: AtomicU64,
}

impl Seldom {
    fn new(every: Duration) -> Self {
        Self { every, began: Instant::now(), next_ms: AtomicU64::new(0) }
    }

    fn again(&self) -> bool {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let next_ms = now_ms.saturating_add(u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX));
        let due = |at: u64| (now_ms >= at).then_some(next_ms);
        self.next_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seldom() {
        let rare = Seldom::new(Duration::from_secs(3_600));
        assert!(rare.again());
        assert!(!rare.again());
        let often = Seldom::new(Duration::ZERO);
        assert!(often.again() && often.again());
    }
}
