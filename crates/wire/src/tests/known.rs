//! The 128-bit hashes under which commands are remembered. They decide what is a duplicate, and stores keep them: a hash
//! that changed is another generation.

use partyline_ledger::{IdHash, KnownBy};
use serde_json::{Value, json};

use super::{NUMBER, decoded, encoded};
use crate::decode::hash;

/// XXH3, 128 bits, unseeded, as other programs compute it: of a message's id alone, of others `service/command_id`.
#[test]
fn hashes_never_change() {
    let (long, accents) = ("x".repeat(64), "é".repeat(128));
    for (known_by, expected) in [
        (KnownBy::Message("wamid.HBgLNDkxNTE1NTUwMRUCABIY"), 0xd6d2_f81e_a9d2_da7c_b6b8_aa8b_63af_cc2c),
        (KnownBy::Message("c1"), 0xd7d3_010b_643c_a529_8ea6_ff26_c9a9_5602),
        (KnownBy::Message(&accents), 0x0578_a827_eb71_a43f_a9e1_c6e9_b5b8_09a3),
        (KnownBy::Other("desk", "c1"), 0x3ee3_1464_412e_0149_a964_7981_a66d_6d7c),
        (KnownBy::Other("crm", "c1"), 0xf164_a4cd_0b36_92fb_0db3_9753_20e3_dc41),
        (KnownBy::Other("desk", &long), 0x8784_86d7_5fa0_ae3b_ebef_6cea_40d3_803c),
        (KnownBy::Other("crm-2", "order:2026-01-01T00:00:00.000"), 0xa774_0be9_98fb_674a_d206_98bf_c746_168f),
    ] {
        assert_eq!(hash(known_by), IdHash(expected), "{known_by:?}");
    }
}

/// What a command is known by: whether it is read in place or by prost.
#[test]
fn a_command_is_known_by_its_own_id() {
    let known_as = |id: &str, action: &str, body: Value| {
        let command = json!({"command_id": id, "business_number": NUMBER, action: body});
        decoded(&encoded(&command)).unwrap().known_as
    };
    let message = |message_id: &str, content: Value| {
        known_as("c1", "message", json!({"customer": "7", "message_id": message_id, "content": content}))
    };
    let reply = |content: Value| {
        known_as("c1", "reply", json!({"service": "desk", "agent": "mia", "customer": "7", "content": content}))
    };
    let by_message_id = IdHash(0xd6d2_f81e_a9d2_da7c_b6b8_aa8b_63af_cc2c);
    let by_command_id = IdHash(0xd7d3_010b_643c_a529_8ea6_ff26_c9a9_5602);
    let (of_desk, of_crm) = (0x3ee3_1464_412e_0149_a964_7981_a66d_6d7c, 0xf164_a4cd_0b36_92fb_0db3_9753_20e3_dc41);
    for content in [json!({"text": "hi"}), json!({"unsupported": {"type": "order"}})] {
        assert_eq!(message("wamid.HBgLNDkxNTE1NTUwMRUCABIY", content.clone()), by_message_id);
        assert_eq!(message("", content.clone()), by_command_id);
        assert_eq!(reply(content), IdHash(of_desk));
    }
    for action in ["subscribe", "unsubscribe", "republish"] {
        assert_eq!(known_as("c1", action, json!({"service": "crm"})), IdHash(of_crm), "{action}");
    }
    let pickup = json!({"service": "crm", "agent": "ravi", "customer": "7"});
    assert_eq!(known_as("c1", "pickup", pickup), IdHash(of_crm));
}
