//! The verbs that stay: threads, clocks, signals and supervision around the workers.
//!
//! - [`up()`], [`project()`], [`follow()`]: one file each. `clean`: the embedded log's upkeep.
//! - [`Stop`]: how everybody learns that it is over; `signals` sets it, and a watchdog behind it.
//! - `supervise`: a worker that failed in passing is made anew. `crew`: threads that end together.
//! - `counting`: the log's end, for `--until-end`.

mod clean;
mod counting;
mod crew;
mod follow;
mod project;
mod signals;
mod stop;
mod supervise;
mod up;

pub use follow::follow;
pub use project::project;
pub use signals::Signals;
pub use stop::Stop;
pub use supervise::patiently;
pub use up::up;

/// A worker with nothing to do waits so long for more before it looks around.
const STEP: std::time::Duration = std::time::Duration::from_millis(50);
