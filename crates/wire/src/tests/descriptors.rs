//! The shipped descriptor set, for programs that read Kafka without the .proto files.

use std::{env, fs, path::Path};

use prost_reflect::DescriptorPool;

use crate::DESCRIPTOR_SET;

#[test]
fn the_shipped_descriptors_are_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/partyline.binpb");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, DESCRIPTOR_SET).unwrap();
    }
    let is_current = fs::read(&path).is_ok_and(|shipped| shipped == DESCRIPTOR_SET);
    assert!(is_current, "proto/partyline.binpb is stale; refresh it: UPDATE=1 cargo test -p partyline-wire shipped");
}

#[test]
fn they_describe_every_message_of_a_topic() {
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    for name in ["Command", "ViewRow", "Outcomes"] {
        assert!(pool.get_message_by_name(&format!("partyline.v1.{name}")).is_some(), "{name}");
    }
}

/// Numbers that will mean something once must not be taken by something else.
#[test]
fn numbers_are_kept_for_what_will_come() {
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    for (message, reserved) in [("Command", 16..=31), ("ViewRow", 8..=15), ("Content", 15..=15)] {
        let message = pool.get_message_by_name(&format!("partyline.v1.{message}")).unwrap();
        for number in reserved {
            assert!(message.reserved_ranges().any(|range| range.contains(&number)), "{} {number}", message.name());
            assert!(message.get_field(number).is_none());
        }
    }
}
