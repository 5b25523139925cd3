//! Messages, replies, automation.

use super::check;

#[test]
fn a_message_opens_the_conversation() {
    check(
        "
        0 subscribe desk ...
        1 message hi
          desk: conversation 7 free
          desk: entry 1 - FULL hi
        2 message ho
          desk: entry 2 - FULL ho
        3 message hu customer=8
          desk: conversation 8 free
          desk: entry 1 - FULL hu
        ",
    );
}

#[test]
fn a_business_may_write_first() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 reply crm ravi x
          crm: conversation 7 free
          crm: entry 1 crm/ravi FULL x
          crm: conversation 7 crm/ravi 1..1801
          desk: conversation 7 free
          desk: entry 1 crm/ravi MASKED ?
          desk: conversation 7 crm/ravi 1..1801
        2 reply desk text=x customer=8 origin=WORKFLOW
          crm: conversation 8 free
          crm: entry 1 desk/- MASKED ?
          desk: conversation 8 free
          desk: entry 1 desk/- FULL x
        ",
    );
}

#[test]
fn automation_is_the_parents_alone() {
    for origin in ["BOT", "AUTO_REPLY", "WORKFLOW", "NOTIFICATION"] {
        check(&format!(
            "
            0 subscribe desk ...
            0 subscribe crm ...
            1 message hi ...
            2 reply crm bot x origin={origin}
              NOT_PARENT
              crm: rejection 0 NOT_PARENT
            3 reply desk bot x origin={origin}
              crm: entry 2 desk/bot MASKED ?
              desk: entry 2 desk/bot FULL x
            4 reply crm ravi x origin=AGENT
              crm: entry 3 crm/ravi FULL x
              crm: conversation 7 crm/ravi 4..1804
              desk: entry 3 crm/ravi MASKED ?
              desk: conversation 7 crm/ravi 4..1804
            "
        ));
    }
}

#[test]
fn bots_are_silent_while_an_agent_has_it_in_hand() {
    for (origin, passes) in [("BOT", false), ("AUTO_REPLY", false), ("WORKFLOW", true), ("NOTIFICATION", true)] {
        let entry = |seq: u64| format!("desk: entry {seq} desk/bot FULL x");
        let during = if passes { entry(1) } else { "PICKED_UP\n desk: rejection 0 PICKED_UP".to_owned() };
        let at_end = entry(if passes { 2 } else { 1 });
        check(&format!(
            "
            0 subscribe desk ...
            1 pickup desk mia hold_for_s=10 ...
            10.999 reply desk bot x origin={origin}
            {during}
            11 reply desk bot x origin={origin}
            {at_end}
            "
        ));
    }
    // Automation gets no warning and takes nothing in hand, whatever it has seen.
    check(
        "
        0 subscribe desk ...
        1 message hi ...
        1 message ho ...
        1 pickup desk mia ...
        2 reply desk bot x origin=WORKFLOW seen_seq=1
          desk: entry 3 desk/bot FULL x
        1802 reply desk bot x origin=BOT seen_seq=1
          desk: entry 4 desk/bot FULL x
        ",
    );
    // Not the parent comes before picked up.
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 pickup desk mia ...
        2 reply crm bot x origin=BOT
          NOT_PARENT
          crm: rejection 0 NOT_PARENT
        ",
    );
}

#[test]
fn a_rejected_bot_opens_nothing() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 reply crm bot x origin=BOT
          NOT_PARENT
          crm: rejection 0 NOT_PARENT
        2 subscribe sales
          crm: channel desk,crm,sales MASKED FULL
          desk: channel desk,crm,sales MASKED FULL
          sales: channel desk,crm,sales MASKED FULL
        3 message hi
          crm: conversation 7 free
          crm: entry 1 - FULL hi
          desk: conversation 7 free
          desk: entry 1 - FULL hi
          sales: conversation 7 free
          sales: entry 1 - FULL hi
        ",
    );
}

#[test]
fn unseen_entries_are_those_of_others() {
    let unseen = |seen: u64, latest: Option<u64>| {
        let warning = latest.map(|n| format!("desk: warning 0 UNSEEN_ENTRIES by desk/mia over - 5 {n}"));
        check(&format!(
            "
            0 subscribe desk ...
            1 message hi ...
            2 message ho ...
            3 reply desk mia x ...
            4 reply desk mia y ...
            5 reply desk mia z seen_seq={seen}
              desk: entry 5 desk/mia FULL z
              {}
            ",
            warning.unwrap_or_default()
        ));
    };
    unseen(0, None);
    unseen(1, Some(2));
    unseen(2, None);
    unseen(4, None);
    unseen(99, None);
    // Another agent of the same service, and the same name in another service, are others; so is automation.
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 message hi ...
        2 reply desk ravi x ...
        3 reply desk mia y seen_seq=1
          crm: entry 3 desk/mia MASKED ?
          desk: entry 3 desk/mia FULL y
          desk: warning 0 REPLY_OVER_PICKUP by desk/mia over desk/ravi 3 0
          desk: warning 1 UNSEEN_ENTRIES by desk/mia over - 3 2
        4 reply crm mia z seen_seq=2
          crm: entry 4 crm/mia FULL z
          crm: warning 2 REPLY_OVER_PICKUP by crm/mia over desk/ravi 4 0
          crm: warning 3 UNSEEN_ENTRIES by crm/mia over - 4 3
          desk: entry 4 crm/mia MASKED ?
          desk: warning 2 REPLY_OVER_PICKUP by crm/mia over desk/ravi 4 0
        5 reply desk bot b origin=NOTIFICATION
          crm: entry 5 desk/bot MASKED ?
          desk: entry 5 desk/bot FULL b
        6 reply crm mia q seen_seq=4
          crm: entry 6 crm/mia FULL q
          crm: warning 4 REPLY_OVER_PICKUP by crm/mia over desk/ravi 6 0
          crm: warning 5 UNSEEN_ENTRIES by crm/mia over - 6 5
          desk: entry 6 crm/mia MASKED ?
          desk: warning 4 REPLY_OVER_PICKUP by crm/mia over desk/ravi 6 0
        ",
    );
}

/// Whose an entry is, its service and agent say, however it was written.
#[test]
fn automation_in_an_agents_name_is_the_agents_own() {
    for origin in ["BOT", "AUTO_REPLY", "WORKFLOW", "NOTIFICATION"] {
        let newest = |agent: &str, warning: &str| {
            check(&format!(
                "
                0 subscribe desk ...
                1 message hi ...
                2 reply desk text=x agent={agent} origin={origin} ...
                3 reply desk mia y seen_seq=1
                  desk: entry 3 desk/mia FULL y
                  {warning}
                  desk: conversation 7 desk/mia 3..1803
                "
            ));
        };
        newest("mia", "");
        newest("ravi", "desk: warning 0 UNSEEN_ENTRIES by desk/mia over - 3 2");
        newest("", "desk: warning 0 UNSEEN_ENTRIES by desk/mia over - 3 2");
    }
    // What came before it is still another's.
    check(
        "
        0 subscribe desk ...
        1 message hi ...
        2 message ho ...
        3 reply desk mia x origin=NOTIFICATION ...
        4 reply desk mia y seen_seq=1
          desk: entry 4 desk/mia FULL y
          desk: warning 0 UNSEEN_ENTRIES by desk/mia over - 4 2
          desk: conversation 7 desk/mia 4..1804
        ",
    );
    // The same name in another service is another agent.
    check(
        "
        0 subscribe crm ...
        0 subscribe desk ...
        1 message hi ...
        2 reply crm mia x origin=NOTIFICATION ...
        3 reply desk mia y seen_seq=1
          crm: entry 3 desk/mia MASKED ?
          crm: conversation 7 desk/mia 3..1803
          desk: entry 3 desk/mia FULL y
          desk: warning 0 UNSEEN_ENTRIES by desk/mia over - 3 2
          desk: conversation 7 desk/mia 3..1803
        ",
    );
}
