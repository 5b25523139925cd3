//! A worker's own copy of what it made of the log, on sled: a cache that costs a replay when it is lost.
//!
//! - [`Store`]: opened for one [`Identity`]; moves from one whole checkpoint to the next. `open` has what is checked
//!   on the way in, `place` the folder (lock, mark of a clean stop, moving aside), `meta` what a store says of itself.
//! - [`Table`]: records by key behind a write-back cache. `table/slots` is how a record lies in sled, and why an
//!   interrupted checkpoint leaves the one before whole; `table/cache` what is in memory.
//! - [`Journal`]: lists that only grow, kept in chunks. `journal/chunk` is a chunk's bytes, `journal/disk` its keys.
//! - [`Digest`]: one number for all rows, to compare two views.
//!
//! What is absent here: Kafka, the rules, protobuf. Keys and positions are opaque bytes, values go through a
//! [`Codec`] that the caller passes in. No type of sled's leaves this crate.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod codec;
mod digest;
mod error;
mod fields;
mod identity;
mod journal;
mod meta;
mod open;
mod part;
mod place;
mod shared;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod writer;

pub use codec::Codec;
pub use digest::{Digest, DigestResult};
pub use error::StoreError;
pub use identity::Identity;
pub use journal::Journal;
pub use part::Part;
pub use store::{MovedAside, Opened, Options, Store};
pub use table::{Table, Visitor};
