//! A worker that failed in passing is made anew, after a pause that grows. Any other failure ends the process.
//!
//! Of two processes that run as the same member each puts out the other; the one that is put out twice within
//! [`TWINS`] ends. Once may be a misunderstanding: after an outage librdkafka joins the group as a new member, and may
//! then repeat a heartbeat of the old one.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use partyline_log::LogError;
use partyline_projector::WorkError;

use super::Stop;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A start waits so long for answers.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who is put out again within this time has a twin.
const TWINS: Duration = Duration::from_secs(30);

/// What a worker's lives have in common.
pub struct Health {
    what: String,
    pause: Duration,
    /// Kinds of failures since it last worked; each is logged once.
    failures: BTreeSet<&'static str>,
    /// When it was last put out by another process of the same name, or so it seemed.
    fenced: Option<Instant>,
}

impl Health {
    /// Of the worker that is called `what` in log lines.
    pub fn of(what: impl Into<String>) -> Self {
        Self { what: what.into(), pause: FIRST_PAUSE, failures: BTreeSet::new(), fenced: None }
    }

    /// It works: the next failure is a new one.
    pub fn works(&mut self) {
        self.pause = FIRST_PAUSE;
        if !self.failures.is_empty() {
            self.failures.clear();
            tracing::info!(worker = self.what, "goes on");
        }
    }

    /// Whether starting over may help.
    fn is_passing(&mut self, error: &WorkError, now: Instant) -> bool {
        if !matches!(error, WorkError::Log(LogError::Fenced(_))) {
            return error.is_passing();
        }
        let before = self.fenced.replace(now);
        before.is_none_or(|before| now.saturating_duration_since(before) > TWINS)
    }

    fn fails(&mut self, error: &WorkError) {
        if self.failures.insert(kind(error)) {
            tracing::warn!(worker = self.what, %error, "failed; starts over until it works");
        } else {
            tracing::debug!(worker = self.what, %error, "failed again");
        }
    }
}

/// Lets a worker live until it is done or told to stop; `live` makes it, runs it and closes it.
///
/// # Errors
/// A failure that starting over cannot help, or one while it was stopping.
pub fn supervise<T>(
    stop: &Stop,
    mut health: Health,
    mut live: impl FnMut(&mut Health) -> Result<T, WorkError>,
) -> Result<Option<T>, WorkError> {
    while !stop.is_set() {
        match live(&mut health) {
            Ok(done) => return Ok(Some(done)),
            Err(error) if !stop.is_set() && health.is_passing(&error, Instant::now()) => health.fails(&error),
            Err(error) => return Err(error),
        }
        stop.wait(health.pause);
        health.pause = (health.pause * 2).min(LONGEST_PAUSE);
    }
    Ok(None)
}

/// Asks the log something that a start depends on; a broker that is just coming back gets some time.
///
/// # Errors
/// The last failure.
pub fn patiently<T>(stop: &Stop, mut ask: impl FnMut() -> Result<T, LogError>) -> Result<T, LogError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Err(error) if error.is_passing() && Instant::now() < deadline && !stop.wait(FIRST_PAUSE) => {
                tracing::debug!(%error, "asks the log again");
            }
            answer => return answer,
        }
    }
}

fn kind(error: &WorkError) -> &'static str {
    match error {
        WorkError::Log(LogError::Unreachable(_)) => "unreachable",
        WorkError::Log(LogError::Transaction(_)) => "transaction",
        WorkError::Log(LogError::Fenced(_)) => "fenced",
        WorkError::Log(_) => "log",
        WorkError::Store(_) => "store",
        WorkError::Damaged(_) => "damaged",
        WorkError::Start(_) | WorkError::File { .. } => "start",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn unreachable() -> WorkError {
        LogError::Unreachable("no broker".to_owned()).into()
    }

    #[test]
    fn passing_failures_start_over() {
        let mut lives = 0;
        let done = supervise(&Stop::default(), Health::of("test"), |_| {
            lives += 1;
            if lives < 3 { Err(unreachable()) } else { Ok(lives) }
        });
        assert_eq!(done.unwrap(), Some(3));
    }

    #[test]
    fn other_failures_end_it() {
        let mut lives = 0;
        let failed: Result<Option<()>, _> = supervise(&Stop::default(), Health::of("test"), |_| {
            lives += 1;
            Err(LogError::NoTopic("t".to_owned()).into())
        });
        assert!(failed.is_err());
        assert_eq!(lives, 1);
    }

    #[test]
    fn who_is_put_out_twice_in_a_short_time_ends() {
        let fenced = || WorkError::from(LogError::Fenced("by a twin".to_owned()));
        let mut lives = 0;
        let failed: Result<Option<()>, _> = supervise(&Stop::default(), Health::of("test"), |health| {
            lives += 1;
            health.works();
            Err(fenced())
        });
        assert!(failed.unwrap_err().to_string().contains("the same member (by a twin)"));
        assert_eq!(lives, 2);
        let (mut health, first) = (Health::of("test"), Instant::now());
        let is_passing = [0, 31, 62, 91].map(|s| health.is_passing(&fenced(), first + Duration::from_secs(s)));
        assert_eq!(is_passing, [true, true, true, false]);
    }

    #[test]
    fn a_stop_ends_the_pause() {
        let stop = Arc::new(Stop::default());
        let other = Arc::clone(&stop);
        // Whether the stop comes before or after the failure: the hour is not waited for.
        let _: Result<Option<()>, _> = supervise(&stop, Health::of("test"), |health| {
            health.pause = Duration::from_secs(3_600);
            let other = Arc::clone(&other);
            std::thread::spawn(move || other.set());
            Err(unreachable())
        });
        assert!(stop.is_set());
    }
}
