//! What the tests share.

pub mod naive;
pub mod workload;
