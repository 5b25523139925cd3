//! Pickups, their time, and the warnings they bring.

use super::check;

#[test]
fn an_agent_takes_it_in_hand() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 pickup desk mia
          crm: conversation 7 free
          crm: conversation 7 desk/mia 1..1801
          desk: conversation 7 free
          desk: conversation 7 desk/mia 1..1801
        5 pickup desk mia hold_for_s=10
          crm: conversation 7 desk/mia 1..15
          desk: conversation 7 desk/mia 1..15
        14.999 pickup desk mia hold_for_s=86400
          crm: conversation 7 desk/mia 1..86414.999
          desk: conversation 7 desk/mia 1..86414.999
        ",
    );
}

#[test]
fn one_that_ran_out_is_free() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 pickup desk mia hold_for_s=2 ...
        3 pickup desk mia hold_for_s=1
          crm: conversation 7 desk/mia 3..4
          desk: conversation 7 desk/mia 3..4
        4 pickup crm ravi hold_for_s=1
          crm: conversation 7 crm/ravi 4..5
          desk: conversation 7 crm/ravi 4..5
        5 reply desk mia x
          crm: entry 1 desk/mia MASKED ?
          crm: conversation 7 desk/mia 5..1805
          desk: entry 1 desk/mia FULL x
          desk: conversation 7 desk/mia 5..1805
        ",
    );
}

#[test]
fn anothers_is_never_blocked() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 pickup desk mia hold_for_s=100 ...
        2 pickup crm mia
          crm: warning 0 ALREADY_PICKED_UP by crm/mia over desk/mia 0 0
          desk: warning 0 ALREADY_PICKED_UP by crm/mia over desk/mia 0 0
        3 pickup desk ravi hold_for_s=5
          desk: warning 1 ALREADY_PICKED_UP by desk/ravi over desk/mia 0 0
        4 pickup crm mia take_over=true hold_for_s=8
          crm: warning 2 TAKEN_OVER by crm/mia over desk/mia 0 0
          crm: conversation 7 crm/mia 4..12
          desk: warning 2 TAKEN_OVER by crm/mia over desk/mia 0 0
          desk: conversation 7 crm/mia 4..12
        5 pickup crm mia take_over=true
          crm: conversation 7 crm/mia 4..1805
          desk: conversation 7 crm/mia 4..1805
        6 pickup crm ravi take_over=true
          crm: warning 3 TAKEN_OVER by crm/ravi over crm/mia 0 0
          crm: conversation 7 crm/ravi 6..1806
          desk: conversation 7 crm/ravi 6..1806
        ",
    );
}

#[test]
fn a_release_is_the_holders_alone() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 pickup desk mia ...
        2 pickup crm mia release=true
          NOT_HOLDER
          crm: rejection 0 NOT_HOLDER
        2 pickup desk ravi release=true
          NOT_HOLDER
          desk: rejection 1 NOT_HOLDER
        3 pickup desk mia release=true take_over=true hold_for_s=5
          crm: conversation 7 free
          desk: conversation 7 free
        4 pickup desk mia release=true
          NOT_HOLDER
          desk: rejection 2 NOT_HOLDER
        5 pickup desk mia hold_for_s=1 ...
        6 pickup desk mia release=true
          NOT_HOLDER
          desk: rejection 3 NOT_HOLDER
        ",
    );
    // It opens nothing, either.
    check(
        "
        0 subscribe desk ...
        1 pickup desk mia release=true
          NOT_HOLDER
          desk: rejection 0 NOT_HOLDER
        2 message hi
          desk: conversation 7 free
          desk: entry 1 - FULL hi
        ",
    );
}

#[test]
fn the_holders_reply_renews_when_less_than_half_is_left() {
    let renews = |at: &str, until: Option<&str>| {
        let row = until.map(|until| format!("desk: conversation 7 desk/mia 10..{until}"));
        check(&format!(
            "
            0 subscribe desk ...
            10 pickup desk mia hold_for_s=100 ...
            {at} reply desk mia x
              desk: entry 1 desk/mia FULL x
              {}
            ",
            row.unwrap_or_default()
        ));
    };
    renews("10", None);
    renews("60", None);
    renews("60.001", Some("160.001"));
    renews("109.999", Some("209.999"));
    // By its own length, each time anew; others' replies and automation renew nothing.
    check(
        "
        0 subscribe desk ...
        0 pickup desk mia hold_for_s=2 ...
        1.5 reply desk mia x
          desk: entry 1 desk/mia FULL x
          desk: conversation 7 desk/mia 0..3.5
        2.5 reply desk mia x
          desk: entry 2 desk/mia FULL x
        3 reply desk ravi x
          desk: entry 3 desk/ravi FULL x
          desk: warning 0 REPLY_OVER_PICKUP by desk/ravi over desk/mia 3 0
        3.4 reply desk mia x origin=WORKFLOW
          desk: entry 4 desk/mia FULL x
        3.5 reply desk ravi x
          desk: entry 5 desk/ravi FULL x
          desk: conversation 7 desk/ravi 3.5..1803.5
        903.5 reply desk ravi x
          desk: entry 6 desk/ravi FULL x
        903.6 reply desk ravi x
          desk: entry 7 desk/ravi FULL x
          desk: conversation 7 desk/ravi 3.5..2703.6
        ",
    );
    // A pickup by the holder sets the length that a renewal has.
    check(
        "
        0 subscribe desk ...
        0 pickup desk mia hold_for_s=100 ...
        1 pickup desk mia hold_for_s=10 ...
        7 reply desk mia x
          desk: entry 1 desk/mia FULL x
          desk: conversation 7 desk/mia 0..17
        ",
    );
}

#[test]
fn a_reply_over_a_pickup_is_accepted_with_a_warning_to_both() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        0 subscribe sales ...
        1 message hi ...
        1 pickup desk mia ...
        2 reply crm ravi x
          crm: entry 2 crm/ravi FULL x
          crm: warning 0 REPLY_OVER_PICKUP by crm/ravi over desk/mia 2 0
          desk: entry 2 crm/ravi MASKED ?
          desk: warning 0 REPLY_OVER_PICKUP by crm/ravi over desk/mia 2 0
          sales: entry 2 crm/ravi MASKED ?
        3 reply desk ravi y seen_seq=1
          crm: entry 3 desk/ravi MASKED ?
          desk: entry 3 desk/ravi FULL y
          desk: warning 1 REPLY_OVER_PICKUP by desk/ravi over desk/mia 3 0
          desk: warning 2 UNSEEN_ENTRIES by desk/ravi over - 3 2
          sales: entry 3 desk/ravi MASKED ?
        ",
    );
}

#[test]
fn pickups_do_not_cross_channels() {
    check(
        "
        0 subscribe desk ...
        0 subscribe books ...
        1 pickup desk mia
          desk: conversation 7 free
          desk: conversation 7 desk/mia 1..1801
        2 reply books bot x origin=BOT
          books: conversation~ 7 free
          books: entry~ 1 books/bot FULL x
        3 pickup books ravi
          books: conversation~ 7 books/ravi 3..1803
        ",
    );
}

#[test]
fn log_time_may_go_back() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        100 pickup desk mia hold_for_s=10 ...
        105 pickup desk mia hold_for_s=2
          crm: conversation 7 desk/mia 100..107
          desk: conversation 7 desk/mia 100..107
        108 reply crm bot x origin=BOT ...
        50 pickup crm ravi
          crm: warning 0 ALREADY_PICKED_UP by crm/ravi over desk/mia 0 0
          desk: warning 0 ALREADY_PICKED_UP by crm/ravi over desk/mia 0 0
        60 pickup desk mia hold_for_s=5
          crm: conversation 7 desk/mia 100..65
          desk: conversation 7 desk/mia 100..65
        40 reply desk mia x
          crm: entry 1 desk/mia MASKED ?
          desk: entry 1 desk/mia FULL x
        -5 pickup desk mia hold_for_s=1
          crm: conversation 7 desk/mia 100..-4
          desk: conversation 7 desk/mia 100..-4
        -4 pickup crm ravi hold_for_s=1
          crm: conversation 7 crm/ravi -4..-3
          desk: conversation 7 crm/ravi -4..-3
        ",
    );
}
