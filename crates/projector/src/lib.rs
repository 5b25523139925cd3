//! The workers: each a synchronous machine, moved by `step()`, that owns no thread and reads no clock.
//!
//! - [`Project`]: commands in, every service's masked rows and the positions out, in one transaction; then its stores.
//! - [`View`]: one service's topic in, its store out, and answers about it.
//! - [`Replay`]: the same function over the log, into a scratch store, touching neither the group nor a topic.
//!
//! The way of a record: `fold` decodes and applies it on the `state` of its partition, the `outbox` encodes the rows and
//! makes the transaction. [`decide`] is the table of starts.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod error;
mod fold;
mod held;
mod keeping;
mod layout;
mod outbox;
mod project;
mod query;
mod replay;
mod routes;
mod settings;
mod start;
mod state;
mod view;

pub use error::{StartError, WorkError};
pub use layout::{Layout, member_id};
pub use outbox::Counts;
pub use project::{Progress, Project};
pub use query::{Answer, Query, ViewRows, ViewStore, ViewSummary};
pub use replay::{Replay, ReplaySpan, ReplayedRows, ReplayedView, TakeRows, replay_spans};
pub use settings::Settings;
pub use start::{Start, decide};
pub use view::View;
