//! Records of the outcomes topic.

use partyline_ledger::Reason;
use proptest::prelude::*;
use serde_json::json;

use super::json_of;
use crate::{Exception, Outcomes, Verdict};

const REASONS: [Reason; 6] = [
    Reason::NotSubscribed,
    Reason::NotParent,
    Reason::PickedUp,
    Reason::NotHolder,
    Reason::Disconnected,
    Reason::TooManyServices,
];

fn encoded(outcomes: &Outcomes) -> Vec<u8> {
    let mut bytes = Vec::new();
    outcomes.encode(&mut bytes);
    bytes
}

#[test]
fn as_a_producer_reads_them() {
    let exceptions =
        [Verdict::Duplicate, Verdict::rejected(Reason::NotParent), Verdict::Invalid("command_id is bad".to_owned())];
    let exceptions = (17..).zip(exceptions).map(|(offset, verdict)| Exception { offset, verdict }).collect();
    let outcomes = Outcomes { partition: 2, first_offset: 10, last_offset: 19, exceptions };
    assert_eq!(
        json_of("partyline.v1.Outcomes", &encoded(&outcomes)),
        json!({"partition": 2, "first_offset": 10, "last_offset": 19, "exceptions": [
            {"offset": 17, "outcome": "DUPLICATE"},
            {"offset": 18, "outcome": "REJECTED", "reason": "NOT_PARENT"},
            {"offset": 19, "outcome": "INVALID", "detail": "command_id is bad"},
        ]})
    );
}

#[test]
fn reasons_are_named_as_in_the_contract() {
    for reason in REASONS {
        assert_eq!(Verdict::rejected(reason), Verdict::Rejected(reason.to_string()));
    }
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Duplicate),
        prop::sample::select(&REASONS[..]).prop_map(Verdict::rejected),
        any::<String>().prop_map(Verdict::Invalid),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn round_trip(
        (partition, first_offset, last_offset) in any::<(u32, u64, u64)>(),
        exceptions in prop::collection::vec((any::<u64>(), verdict()), 0..20),
    ) {
        let exceptions = exceptions.into_iter().map(|(offset, verdict)| Exception { offset, verdict }).collect();
        let outcomes = Outcomes { partition, first_offset, last_offset, exceptions };
        prop_assert_eq!(Outcomes::decode(&encoded(&outcomes)), Some(outcomes));
    }
}
