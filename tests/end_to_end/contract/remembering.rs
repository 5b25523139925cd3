//! Idempotency: what is a duplicate of what, and for how long.

use super::{Played, check};

#[test]
fn a_duplicate_changes_nothing() {
    for (before, command) in [
        ("0 subscribe crm", "subscribe desk id=x"),
        ("0 subscribe desk", "unsubscribe desk id=x"),
        ("0 subscribe desk", "message hi message_id=x"),
        ("0 subscribe desk", "message hi id=x"),
        ("0 subscribe desk", "reply desk mia hi id=x"),
        ("0 subscribe desk", "pickup desk mia id=x"),
        ("0 subscribe desk", "republish desk id=x"),
    ] {
        check(&format!("{before} ...\n 1 {command} ...\n 2 {command}\n duplicate\n 9999 {command}\n duplicate"));
    }
}

#[test]
fn a_message_is_known_by_its_own_id() {
    check(
        "
        0 subscribe desk ...
        1 message hi message_id=w id=a ...
        2 message ho message_id=w id=b
          duplicate
        3 message hu message_id=v id=a
          desk: entry 2 - FULL hu
        4 message no id=w
          duplicate
        5 message no id=a
          desk: entry 3 - FULL no
        6 message no message_id=a id=z
          duplicate
        ",
    );
}

#[test]
fn other_commands_are_known_by_service_and_id() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 message hi message_id=x ...
        2 reply desk mia a id=x ...
        3 reply crm ravi b id=x seen_seq=9 ...
        4 reply desk ravi other id=x
          duplicate
        5 pickup desk mia id=x
          duplicate
        6 unsubscribe crm id=x
          crm: channel left
          desk: channel desk MASKED FULL
        7 subscribe crm id=x
          duplicate
        ",
    );
    // Messages and other commands are two kinds, and the service is part of what a command is known by.
    check(
        "
        0 subscribe desk id=x ...
        1 message hi message_id=desk/x
          desk: conversation 7 free
          desk: entry 1 - FULL hi
        2 reply desk mia a id=x
          desk: entry 2 desk/mia FULL a
          desk: conversation 7 desk/mia 2..1802
        ",
    );
}

#[test]
fn the_scope_is_the_conversation() {
    check(
        "
        0 subscribe desk ...
        0 subscribe books ...
        1 message hi message_id=w ...
        2 message hi message_id=w customer=8
          books: conversation~ 8 free
          books: entry~ 1 - FULL hi
          desk: conversation 8 free
          desk: entry 1 - FULL hi
        3 reply desk mia a id=r ...
        4 reply desk mia a id=r customer=8
          desk: entry 2 desk/mia FULL a
          desk: conversation 8 desk/mia 4..1804
        ",
    );
    // A service that moved writes in another conversation; what it wrote in the first is still known there.
    check(
        "
        0 subscribe desk ...
        1 reply desk mia a id=r ...
        2 subscribe desk licence=STANDALONE ...
        3 reply desk mia a id=r
          desk: conversation~ 7 free
          desk: entry~ 1 desk/mia FULL a
          desk: conversation~ 7 desk/mia 3..1803
        4 subscribe desk ...
        5 reply desk mia a id=r
          duplicate
        ",
    );
}

#[test]
fn a_message_is_decided_in_each_conversation_by_itself() {
    check(
        "
        0 subscribe desk ...
        1 message hi message_id=w ...
        2 subscribe books ...
        3 message hi message_id=w
          books: conversation~ 7 free
          books: entry~ 1 - FULL hi
        4 message hi message_id=w
          duplicate
        5 unsubscribe desk ...
        6 message ho message_id=v
          books: entry~ 2 - FULL ho
        7 subscribe desk ...
        8 message ho message_id=v
          desk: entry 2 - FULL ho
        ",
    );
}

#[test]
fn a_rejection_is_remembered_where_its_scope_exists() {
    // In an opened conversation.
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 message hi ...
        2 reply crm b x origin=BOT id=r ...
        2 pickup crm b release=true id=p ...
        3 unsubscribe desk ...
        4 reply crm b x origin=BOT id=r
          duplicate
        4 pickup crm b id=p
          duplicate
        ",
    );
    // Not in one that never was opened.
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 reply crm b x origin=BOT id=r ...
        1 pickup crm b release=true id=p ...
        2 unsubscribe desk ...
        3 pickup crm b id=p
          crm: conversation 7 free
          crm: conversation 7 crm/b 3..1803
        4 reply crm b x origin=WORKFLOW id=r
          crm: entry 1 crm/b FULL x
        ",
    );
    // Not without a channel to have the conversation in.
    check(
        "
        0 subscribe desk ...
        0 message hi message_id=w ...
        1 unsubscribe desk ...
        2 message ho message_id=v
          DISCONNECTED to nobody
        2 reply desk mia x id=r ...
        3 subscribe desk ...
        4 message ho message_id=v
          desk: entry 2 - FULL ho
        5 reply desk mia x id=r
          desk: entry 3 desk/mia FULL x
          desk: conversation 7 desk/mia 5..1805
        ",
    );
}

#[test]
fn a_number_without_a_service_remembers_nothing() {
    check(
        "
        0 unsubscribe desk id=u
          NOT_SUBSCRIBED to nobody
        0 republish desk id=v
          NOT_SUBSCRIBED to nobody
        1 subscribe desk ...
        2 republish desk id=v
          desk: channel desk MASKED FULL
        3 unsubscribe desk id=u
          desk: channel left
        4 unsubscribe desk id=w
          NOT_SUBSCRIBED
          desk: rejection 0 NOT_SUBSCRIBED
        5 unsubscribe crm id=u
          NOT_SUBSCRIBED to nobody
        6 unsubscribe crm id=u
          duplicate
        7 subscribe desk id=w
          duplicate
        ",
    );
}

/// Whether a command is still known after so many others, which are made of `other` with `#` replaced.
fn known_after(others: usize, before: &[&str], command: &str, other: &str) -> bool {
    let mut played = Played::lines(before);
    played.line(command);
    for n in 0..others {
        assert_ne!(played.line(&other.replace('#', &n.to_string())), ["duplicate"]);
    }
    played.line(command) == ["duplicate"]
}

#[test]
fn the_last_256_ids_are_known() {
    let shared = &["0 subscribe desk", "0 message open"][..];
    for (before, command, other) in [
        (shared, "1 message hi message_id=x", "1 message hi message_id=m#"),
        (shared, "1 message hi id=x", "1 message hi id=m#"),
        (shared, "1 reply desk mia a id=x", "1 reply desk mia a id=r#"),
        (shared, "1 reply desk mia a id=x", "1 pickup desk mia release=true id=r#"),
        (shared, "1 pickup desk mia id=x", "1 reply desk bot a origin=BOT id=r#"),
        (shared, "1 republish desk id=x", "1 unsubscribe ghost id=r#"),
        (&["0 subscribe crm", "0 subscribe desk"], "1 subscribe desk id=x", "1 subscribe crm id=r#"),
    ] {
        assert!(known_after(255, before, command, other), "{command} after 255 of {other}");
        assert!(!known_after(256, before, command, other), "{command} after 256 of {other}");
    }
    // The other kind, another conversation and another scope push nothing out.
    for (command, other) in [
        ("1 message hi message_id=x", "1 reply desk mia a id=r#"),
        ("1 reply desk mia a id=x", "1 message hi id=m#"),
        ("1 reply desk mia a id=x", "1 reply desk mia a id=r# customer=8"),
        ("1 reply desk mia a id=x", "1 unsubscribe ghost id=r#"),
        ("1 republish desk id=x", "1 reply desk mia a id=r#"),
    ] {
        assert!(known_after(300, shared, command, other), "{command} after 300 of {other}");
    }
}

#[test]
fn a_duplicate_does_not_make_its_id_young_again() {
    let mut played = Played::lines(&["0 subscribe desk", "1 message hi message_id=x"]);
    for n in 0..255 {
        played.line(&format!("1 message hi message_id=m{n}"));
        assert_eq!(played.line("1 message hi message_id=x"), ["duplicate"]);
    }
    played.line("1 message hi message_id=last");
    assert_eq!(played.line("1 message hi message_id=x"), ["desk: entry 258 - FULL hi"]);
}
