//! Masking, history, republish.

use serde_json::{Value, json};

use super::{NUMBER, Played, check};

const ENTRY: &str = "entry/+4930111222/7/00000000000000000001";

/// Everything that a reply can say, by an agent; `set` is put into its action.
fn reply(set: Value) -> Value {
    let mut reply = json!({"service": "desk", "agent": "mia", "customer": "7", "seen_seq": 3, "in_reply_to": "wamid.q",
        "content": {"media": {"kind": "IMAGE", "media_id": "m1", "mime_type": "image/png", "caption": "secret", "filename": "s.png"}}});
    reply.as_object_mut().unwrap().extend(set.as_object().unwrap().clone());
    json!({"command_id": "r1", "business_number": NUMBER, "issued_at_ms": 77, "reply": reply})
}

#[test]
fn a_masked_entry_says_who_when_and_where_and_nothing_else() {
    let mut played = Played::lines(&["0 subscribe desk", "0 subscribe crm"]);
    played.command(&reply(json!({})), 5_000).unwrap();
    let masked = json!({"cause": {"offset": 2, "index": 1}, "entry": {"channel_id": NUMBER, "customer": "7", "seq": 1,
        "author": {"service": "desk", "agent": "mia", "origin": "AGENT"}, "visibility": "MASKED",
        "source": {"offset": 2}, "at_ms": 5_000}});
    assert_eq!(*played.row("crm", ENTRY), masked);
    let mut full = masked.clone();
    full["entry"]["visibility"] = json!("FULL");
    full["entry"]["in_reply_to"] = json!("wamid.q");
    full["entry"]["content"] = reply(json!({}))["reply"]["content"].clone();
    full["entry"]["command_id"] = json!("r1");
    assert_eq!(*played.row("desk", ENTRY), full);
    // An automation without an agent.
    let mut played = Played::lines(&["0 subscribe desk", "0 subscribe crm"]);
    played.command(&reply(json!({"origin": "BOT", "agent": ""})), 5_000).unwrap();
    full["entry"]["author"] = json!({"service": "desk", "origin": "BOT"});
    assert_eq!(*played.row("desk", ENTRY), full);
    assert_eq!(played.row("crm", ENTRY)["entry"]["author"], json!({"service": "desk", "origin": "BOT"}));
}

#[test]
fn anothers_full_reply_lacks_the_command_id_alone() {
    let mut played = Played::lines(&["0 subscribe desk", "0 subscribe crm display_others=FULL"]);
    played.command(&reply(json!({})), 5_000).unwrap();
    let mut own = played.row("desk", ENTRY).clone();
    assert_eq!(own["entry"].as_object_mut().unwrap().remove("command_id"), Some(json!("r1")));
    assert_eq!(*played.row("crm", ENTRY), own);
}

#[test]
fn a_message_is_full_for_everyone_and_its_command_id_for_nobody() {
    let message = json!({"command_id": "m1", "business_number": NUMBER, "message": {"customer": "7", "message_id": "wamid.1",
        "sent_at_ms": 4_000, "in_reply_to": "wamid.0", "content": {"location": {"latitude": 52.5, "longitude": -0.25}}}});
    let mut played = Played::lines(&["0 subscribe desk share_own=MASKED", "0 subscribe crm"]);
    played.command(&message, 5_000).unwrap();
    let full = json!({"cause": {"offset": 2, "index": 1}, "entry": {"channel_id": NUMBER, "customer": "7", "seq": 1,
        "visibility": "FULL", "content": {"location": {"latitude": 52.5, "longitude": -0.25}}, "message_id": "wamid.1",
        "in_reply_to": "wamid.0", "sent_at_ms": 4_000, "source": {"offset": 2}, "at_ms": 5_000}});
    assert_eq!(*played.row("desk", ENTRY), full);
    assert_eq!(*played.row("crm", ENTRY), full);
}

#[test]
fn full_only_if_both_say_so() {
    for (display, share, seen) in [
        ("FULL", "FULL", "FULL x"),
        ("FULL", "MASKED", "MASKED ?"),
        ("MASKED", "FULL", "MASKED ?"),
        ("MASKED", "MASKED", "MASKED ?"),
    ] {
        check(&format!(
            "
            0 subscribe sales share_own={share} ...
            0 subscribe crm display_others={display} ...
            1 message hi ...
            2 reply sales mia x
              crm: entry 2 sales/mia {seen}
              crm: conversation 7 sales/mia 2..1802
              sales: entry 2 sales/mia FULL x
              sales: conversation 7 sales/mia 2..1802
            "
        ));
    }
}

#[test]
fn the_other_rows_in_full() {
    let mut played = Played::lines(&["0 subscribe desk", "0 subscribe crm product=books"]);
    let channel = json!({"channel_id": "+4930111222~crm", "isolated": true, "subscribed": true, "parent": "crm",
        "subscribers": ["crm"], "display_others": "MASKED", "share_own": "FULL"});
    assert_eq!(played.row("crm", "channel/+4930111222~crm")["channel"], channel);
    played.line("1 subscribe crm display_others=FULL");
    assert_eq!(
        *played.row("crm", "channel/+4930111222~crm"),
        json!({"cause": {"offset": 2}, "channel": {"channel_id": "+4930111222~crm", "isolated": true}})
    );
    let channel = json!({"channel_id": NUMBER, "subscribed": true, "parent": "desk", "subscribers": ["desk", "crm"],
        "display_others": "FULL", "share_own": "FULL"});
    assert_eq!(played.row("crm", "channel/+4930111222")["channel"], channel);
    played.line("2 pickup crm ravi hold_for_s=3");
    let holder = json!({"service": "crm", "agent": "ravi", "since_ms": 2_000, "until_ms": 5_000});
    let rows = &played.rows.iter().find(|(service, _)| service == "desk").unwrap().1;
    assert_eq!(
        rows.last().unwrap().1["conversation"],
        json!({"channel_id": NUMBER, "customer": "7", "holder": holder})
    );
    played.line("3 pickup desk mia");
    let warning = json!({"channel_id": NUMBER, "customer": "7", "kind": "ALREADY_PICKED_UP", "at_ms": 3_000,
        "by": {"service": "desk", "agent": "mia"}, "holder": {"service": "crm", "agent": "ravi"}});
    assert_eq!(played.row("crm", "warning/+4930111222/7/0")["warning"], warning);
    played.line("4 pickup desk mia release=true id=x");
    let rejection = json!({"business_number": NUMBER, "command_id": "x", "reason": "NOT_HOLDER", "at_ms": 4_000});
    assert_eq!(played.row("desk", "rejection/+4930111222/0")["rejection"], rejection);
}

/// Three services and a short talk.
const TALK: &str = "
    0 subscribe desk ...
    0 subscribe crm display_others=FULL ...
    1 message hi ...
    2 reply desk mia a ...
    3 reply crm ravi b ...
    4 message ho customer=8 ...
";

fn then(script: &str) {
    check(&format!("{TALK}{script}"));
}

#[test]
fn who_joins_gets_the_whole_history_masked_for_it() {
    then(
        "
        5 subscribe sales display_others=FULL
          crm: channel desk,crm,sales FULL FULL
          desk: channel desk,crm,sales MASKED FULL
          sales: channel desk,crm,sales FULL FULL
          sales: conversation 7 desk/mia 2..1802
          sales: conversation 8 free
          sales: entry 1 - FULL hi
          sales: entry 2 desk/mia FULL a
          sales: entry 3 crm/ravi FULL b
          sales: entry 1 - FULL ho
        6 unsubscribe sales ...
        7 reply desk mia c ...
        8 subscribe sales
          crm: channel desk,crm,sales FULL FULL
          desk: channel desk,crm,sales MASKED FULL
          sales: channel desk,crm,sales MASKED FULL
          sales: conversation 7 desk/mia 2..1802
          sales: conversation 8 free
          sales: entry 1 - FULL hi
          sales: entry 2 desk/mia MASKED ?
          sales: entry 3 crm/ravi MASKED ?
          sales: entry 1 - FULL ho
          sales: entry 4 desk/mia MASKED ?
        ",
    );
}

/// A history tells the last pickup, though it ran out: readers compare its end with the time.
#[test]
fn a_history_tells_a_pickup_that_ran_out() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 pickup desk mia hold_for_s=2 ...
        1 pickup crm ravi hold_for_s=100 customer=8 ...
        3 subscribe sales
          crm: channel desk,crm,sales MASKED FULL
          desk: channel desk,crm,sales MASKED FULL
          sales: channel desk,crm,sales MASKED FULL
          sales: conversation 7 desk/mia 1..3
          sales: conversation 8 crm/ravi 1..101
        50 republish crm
          crm: channel desk,crm,sales MASKED FULL
          crm: conversation 7 desk/mia 1..3
          crm: conversation 8 crm/ravi 1..101
        60 unsubscribe crm ...
        61 unsubscribe desk
          desk: channel left
          sales: channel sales MASKED FULL
        62 republish sales
          sales: channel sales MASKED FULL
          sales: conversation 7 desk/mia 1..3
          sales: conversation 8 free
        ",
    );
}

#[test]
fn an_author_that_left_keeps_its_last_setting() {
    then(
        "
        5 unsubscribe desk ...
        6 subscribe sales display_others=FULL
          crm: channel crm,sales FULL FULL
          sales: channel crm,sales FULL FULL
          sales: conversation 7 free
          sales: conversation 8 free
          sales: entry 1 - FULL hi
          sales: entry 2 desk/mia FULL a
          sales: entry 3 crm/ravi FULL b
          sales: entry 1 - FULL ho
        7 subscribe desk share_own=MASKED licence=STANDALONE
          crm: entry 2 desk/mia MASKED ?
          desk: channel~ desk MASKED MASKED
          sales: entry 2 desk/mia MASKED ?
        8 unsubscribe desk
          desk: channel~ left
        9 republish sales
          sales: channel crm,sales FULL FULL
          sales: conversation 7 free
          sales: conversation 8 free
          sales: entry 1 - FULL hi
          sales: entry 2 desk/mia MASKED ?
          sales: entry 3 crm/ravi FULL b
          sales: entry 1 - FULL ho
        ",
    );
}

#[test]
fn a_changed_setting_publishes_entries_again() {
    // How others are shown: the channel's entries, to that service.
    then(
        "
        5 subscribe crm
          crm: channel desk,crm MASKED FULL
          crm: entry 1 - FULL hi
          crm: entry 2 desk/mia MASKED ?
          crm: entry 3 crm/ravi FULL b
          crm: entry 1 - FULL ho
        ",
    );
    // What is shared: that author's entries, to the others now subscribed.
    then(
        "
        5 subscribe desk share_own=MASKED
          crm: entry 2 desk/mia MASKED ?
          desk: channel desk,crm MASKED MASKED
        6 subscribe desk
          crm: entry 2 desk/mia FULL a
          desk: channel desk,crm MASKED FULL
        7 subscribe crm display_others=FULL share_own=MASKED
          crm: channel desk,crm FULL MASKED
          desk: entry 3 crm/ravi MASKED ?
        ",
    );
    // Both, of a service that also changes its channel.
    then(
        "
        5 subscribe crm share_own=MASKED licence=STANDALONE
          crm: channel left
          crm: channel~ crm MASKED MASKED
          desk: channel desk MASKED FULL
          desk: entry 3 crm/ravi MASKED ?
        ",
    );
    // Settings outlive leaving: the same again is no change.
    then(
        "
        5 unsubscribe desk ...
        6 subscribe desk
          crm: channel crm,desk FULL FULL
          desk: channel crm,desk MASKED FULL
          desk: conversation 7 free
          desk: conversation 8 free
          desk: entry 1 - FULL hi
          desk: entry 2 desk/mia FULL a
          desk: entry 3 crm/ravi MASKED ?
          desk: entry 1 - FULL ho
        ",
    );
}

#[test]
fn republish_is_as_if_it_had_just_joined() {
    then(
        "
        5 republish desk
          desk: channel desk,crm MASKED FULL
          desk: conversation 7 desk/mia 2..1802
          desk: conversation 8 free
          desk: entry 1 - FULL hi
          desk: entry 2 desk/mia FULL a
          desk: entry 3 crm/ravi MASKED ?
          desk: entry 1 - FULL ho
        6 republish ghost
          NOT_SUBSCRIBED to nobody
        7 unsubscribe desk ...
        8 republish desk
          NOT_SUBSCRIBED
          desk: rejection 0 NOT_SUBSCRIBED
        9 subscribe books ...
        9 message hu ...
        9 republish books
          books: channel~ books MASKED FULL
          books: conversation~ 7 free
          books: entry~ 1 - FULL hu
        ",
    );
}
