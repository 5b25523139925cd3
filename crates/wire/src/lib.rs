//! Bytes to types and back: protobuf, JSON, keys, the partitioner.
//!
//! - [`decode_command`]: a record of the log becomes a [`Command`](partyline_ledger::Command), or is [`Invalid`].
//! - [`command_from_json`], [`row_to_json`]: the contract's JSON.
//! - [`encode_row`], [`row_key`]: a row becomes a record of a view topic.
//! - [`Outcomes`], [`PositionRow`]: the two records that are not rows of a view.
//! - [`partition_of`]: where a key belongs, as Java clients place it.
//! - [`state`]: what stores keep.
//!
//! The messages themselves are in `proto/partyline/v1/`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod bounds;
mod decode;
mod encode;
mod explain;
mod json;
mod outcomes;
mod partition;
mod put;
mod quick;
pub mod state;
mod strict;
#[cfg(test)]
mod tests;

#[allow(missing_docs, clippy::all)]
mod pb {
    include!(concat!(env!("OUT_DIR"), "/partyline.v1.rs"));
}

pub use decode::{Invalid, MAX_COMMAND_BYTES, Placed, decode_command};
pub use encode::{Cause, PositionRow, encode_row, row_key};
pub use json::{CommandLine, command_from_json, row_to_json};
pub use outcomes::{Exception, Outcomes, Verdict};
pub use partition::partition_of;

/// The compiled descriptors of `proto/partyline/v1/`.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/partyline.binpb"));
