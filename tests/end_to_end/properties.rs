//! What must hold for any commands, bytes and lines.
//!
//! | module | what |
//! | --- | --- |
//! | `frozen` | a ledger whose state can be encoded and decoded at any point, with histories in chunks of any size |
//! | `folding` | folds in parts, duplicates, chunks |
//! | `reading` | what is read from bytes and lines, and written back |
//! | `leaking` | what is masked is nowhere |

mod folding;
mod frozen;
mod leaking;
mod reading;

use std::sync::OnceLock;

use partyline_tests::workload;
use proptest::{prelude::*, sample, test_runner::Config};
use serde_json::Value;

/// So many cases, each new; a failure prints its smallest input. Nothing is written beside the tests.
fn cases(count: u32) -> Config {
    Config { cases: count, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() }
}

/// Some commands of a random mix, in their order, each with its log time.
fn some_commands() -> impl Strategy<Value = Vec<(Value, i64)>> {
    any::<u32>().prop_flat_map(|seed| {
        let seed = u64::from(seed);
        let mix = workload::random_mix(seed, 400);
        let timed: Vec<_> = mix.into_iter().zip(workload::LogTime::new(seed)).collect();
        sample::subsequence(timed, 0..=400)
    })
}

/// A valid command of any kind.
fn one_command() -> impl Strategy<Value = Value> {
    static MIX: OnceLock<Vec<Value>> = OnceLock::new();
    sample::select(MIX.get_or_init(|| workload::random_mix(5, 2_000)).as_slice())
}
