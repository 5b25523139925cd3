//! The embedded log's upkeep: compaction and retention, in small steps.

use std::time::{Duration, SystemTime};

use partyline_log::{LogError, embedded::Embedded};

use super::Stop;

/// Between two looks at a log that had nothing to clean.
const REST: Duration = Duration::from_secs(1);
/// After a step that failed in passing.
const PAUSE: Duration = Duration::from_secs(5);

/// Cleans until told to stop.
pub(super) fn work(log: &Embedded, stop: &Stop) -> Result<(), LogError> {
    let mut rest = Duration::ZERO;
    while !stop.wait(rest) {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        rest = match log.clean(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)) {
            Ok(cleaned) if cleaned.more => Duration::ZERO,
            Ok(_) => REST,
            Err(error) if error.is_passing() => {
                tracing::warn!(%error, "cleaning waits");
                PAUSE
            }
            Err(error) => return Err(error),
        };
    }
    Ok(())
}
