//! A worker's own copy of what it made of the log, on sled: a cache that costs a replay when it is lost.
//!
//! - [`Database`]: one folder, opened for one [`Identity`]. `open` has what is checked on the way in, `place` the folder
//!   (lock, mark of a clean stop, moving aside), `meta` what a database says of itself.
//! - [`Store`]: what is kept together in it, under one position; moves from one whole checkpoint to the next.
//! - [`Checkpoint`]: one on its way to the disk, while the stores go on.
//! - [`Table`]: records by key behind a write-back cache. [`Rows`]: keys and values that are only ever put in,
//!   one by one or many in a [`Segment`].
//! - `runs`: how both lie in sled, and why a checkpoint that is cut off leaves the one before whole.
//! - [`Journal`]: lists that only grow, in chunks. `journal/chunk` is a chunk's bytes, `journal/extents` the file of those
//!   that are full; their last ones, and where the others are, lie in runs.
//! - `engine`: sled itself, opened anew every so often. `tree`: a part's place in it.
//! - `blob`, `writer`: how bytes go to sled, compressed and in pieces and batches that it bears.
//! - [`DigestResult`]: one number for all rows, to compare two views.
//!
//! What is absent here: Kafka, the rules, protobuf. Keys and positions are opaque bytes, values go through a
//! [`Codec`] that the caller passes in. No type of sled's leaves this crate.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod blob;
mod checkpoint;
mod codec;
mod database;
mod digest;
mod engine;
mod error;
mod fields;
mod identity;
mod journal;
mod meta;
mod open;
mod part;
mod place;
mod rows;
mod runs;
mod segment;
mod shared;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod writer;

pub use checkpoint::{Checkpoint, Due};
pub use codec::{Codec, Growth};
pub use database::{Database, Lifetime, MovedAside, Opened, Options};
pub use digest::DigestResult;
pub use error::StoreError;
pub use identity::Identity;
pub use journal::Journal;
pub use part::Part;
pub use rows::Rows;
pub use runs::Visit;
pub use segment::Segment;
pub use store::Store;
pub use table::{Table, Visitor};
