//! What the tests share: a second, naive implementation of the contract, workloads, and the real parts put together.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

pub mod encode;
pub mod fixed_time;
pub mod model;
pub mod naive;
pub mod process;
pub mod python;
pub mod rig;
pub mod workload;
