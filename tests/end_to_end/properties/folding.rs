//! Folds in parts, duplicates, chunks.

use std::collections::BTreeMap;

use partyline_ledger::Outcome;
use partyline_tests::{encode::encode, model::Model};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    cases,
    frozen::{Frozen, Rows},
    some_commands,
};

type Told = Vec<(Outcome, Rows)>;

fn fold(ledger: &mut Frozen, commands: &[(Value, i64)], first: u64) -> Told {
    (first..).zip(commands).map(|(offset, (command, at_ms))| ledger.apply(command, offset, *at_ms)).collect()
}

proptest! {
    #![proptest_config(cases(60))]

    /// Wherever a fold is cut, and its state encoded, dropped and decoded.
    #[test]
    fn a_fold_in_parts_is_the_fold(commands in some_commands(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..6)) {
        let mut whole = Frozen::new(3);
        let told = fold(&mut whole, &commands, 0);

        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(commands.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(commands.len());
        let (mut parts, mut told_in_parts, mut from) = (Frozen::new(3), Told::new(), 0);
        for until in cuts {
            told_in_parts.extend(fold(&mut parts, &commands[from..until], from as u64));
            parts = Frozen::thaw(3, &parts.freeze());
            from = until;
        }
        prop_assert_eq!(told, told_in_parts);
        prop_assert_eq!(whole.freeze(), parts.freeze());
    }

    /// Rows do not depend on the size of the chunks in which histories are told.
    #[test]
    fn chunks_of_any_size_tell_the_same(commands in some_commands(), chunk in 1_usize..40) {
        let (mut one, mut other) = (Frozen::new(1_000_000), Frozen::new(chunk));
        prop_assert_eq!(fold(&mut one, &commands, 0), fold(&mut other, &commands, 0));
        prop_assert_eq!(one.freeze(), other.freeze());
    }

    /// What was decided is decided: the same command again does nothing, whatever came before it.
    #[test]
    fn a_duplicate_changes_nothing(commands in some_commands(), later_ms in 0_i64..10_000_000) {
        let mut ledger = Frozen::new(3);
        for (offset, (command, at_ms)) in (0..).zip(&commands) {
            let (first, _) = ledger.apply(command, offset, *at_ms);
            let before = ledger.freeze();
            let (second, rows) = ledger.apply(command, offset, at_ms + later_ms);
            if first == Outcome::Accepted || first == Outcome::Duplicate || second == Outcome::Duplicate {
                prop_assert_eq!(second, Outcome::Duplicate, "{}", command);
                prop_assert!(rows.is_empty(), "{}", command);
                prop_assert_eq!(before, ledger.freeze(), "{}", command);
            } else {
                // Its scope does not exist, so nothing could remember it.
                prop_assert_eq!(first, second, "{}", command);
            }
        }
    }

    /// What one number's commands do does not depend on what is between them.
    #[test]
    fn numbers_do_not_touch_each_other(commands in some_commands()) {
        let mut together = Frozen::new(3);
        let mut alone: BTreeMap<String, Frozen> = BTreeMap::new();
        for (offset, (command, at_ms)) in (0..).zip(&commands) {
            let number = command["business_number"].as_str().unwrap().to_owned();
            let alone = alone.entry(number).or_insert_with(|| Frozen::new(3));
            prop_assert_eq!(together.apply(command, offset, *at_ms), alone.apply(command, offset, *at_ms));
        }
    }

    /// The producer's clock is for people only.
    #[test]
    fn no_rule_reads_the_producers_clock(commands in some_commands(), issued_at_ms in any::<i64>()) {
        let (mut one, mut other) = (Frozen::new(3), Frozen::new(3));
        for (offset, (command, at_ms)) in (0..).zip(&commands) {
            let mut issued = command.clone();
            issued["issued_at_ms"] = json!(issued_at_ms);
            prop_assert_eq!(one.apply(command, offset, *at_ms), other.apply(&issued, offset, *at_ms));
        }
        prop_assert_eq!(one.freeze(), other.freeze());
    }

    /// Any log times at all: nothing panics, and the same commands are accepted as long as no rule asks for the time.
    #[test]
    fn any_log_time_will_do(commands in some_commands(), times in prop::collection::vec(any::<i64>(), 401)) {
        let mut ledger = Frozen::new(3);
        for (offset, ((command, _), at_ms)) in (0..).zip(commands.iter().zip(&times)) {
            ledger.apply(command, offset, *at_ms);
        }
        prop_assert_eq!(Frozen::thaw(3, &ledger.freeze()).freeze(), ledger.freeze());
    }

    /// Invalid bytes among the commands change nothing.
    #[test]
    fn what_cannot_be_read_changes_nothing(commands in some_commands(), noise in prop::collection::vec(any::<u8>(), 1..80)) {
        let (mut clean, mut noisy) = (Model::default(), Model::default());
        for (offset, (command, at_ms)) in (0..).zip(&commands) {
            let (key, value) = (partyline_tests::encode::key(command), encode(command));
            prop_assert!(noisy.apply(key, &noise, offset, *at_ms).outcome.is_none());
            let (clean, noisy) = (clean.apply(key, &value, offset, *at_ms), noisy.apply(key, &value, offset, *at_ms));
            prop_assert_eq!((clean.outcome, clean.rows), (noisy.outcome, noisy.rows));
        }
    }
}
