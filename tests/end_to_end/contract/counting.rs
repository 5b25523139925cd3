//! The slots of warnings and rejections, and the limit of services.

use super::{Played, check};

#[test]
fn a_conversation_keeps_its_last_32_warnings() {
    let mut played = Played::lines(&["0 subscribe desk", "0 pickup desk mia", "0 pickup desk mia customer=8"]);
    for n in 0..70 {
        let slot = n % 32;
        let warning = |by: &str| format!("desk: warning {slot} ALREADY_PICKED_UP by desk/{by} over desk/mia 0 0");
        assert_eq!(played.line("1 pickup desk ravi"), [warning("ravi")]);
    }
    // Each conversation counts by itself.
    let first = "desk: warning 0 ALREADY_PICKED_UP by desk/ravi over desk/mia 0 0";
    assert_eq!(played.line("1 pickup desk ravi customer=8"), [first]);
}

#[test]
fn a_warning_for_some_counts_for_all() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 message hi ...
        1 message ho ...
        1 pickup desk mia ...
        2 reply desk mia x seen_seq=1
          crm: entry 3 desk/mia MASKED ?
          desk: entry 3 desk/mia FULL x
          desk: warning 0 UNSEEN_ENTRIES by desk/mia over - 3 2
        3 pickup crm ravi
          crm: warning 1 ALREADY_PICKED_UP by crm/ravi over desk/mia 0 0
          desk: warning 1 ALREADY_PICKED_UP by crm/ravi over desk/mia 0 0
        ",
    );
}

#[test]
fn a_number_keeps_its_last_256_published_rejections() {
    let mut played = Played::lines(&["0 subscribe desk", "0 unsubscribe desk", "0 subscribe crm"]);
    for n in 0..520 {
        let slot = n % 256;
        // Those that nobody can be told about are not counted.
        assert_eq!(played.line("1 unsubscribe ghost"), ["NOT_SUBSCRIBED to nobody"]);
        let (line, service) =
            if n % 2 == 0 { ("1 unsubscribe desk", "desk") } else { ("1 pickup crm mia release=true", "crm") };
        let reason = if n % 2 == 0 { "NOT_SUBSCRIBED" } else { "NOT_HOLDER" };
        assert_eq!(played.line(line), [reason.to_owned(), format!("{service}: rejection {slot} {reason}")]);
    }
}

#[test]
fn a_rejection_goes_to_who_ever_subscribed() {
    check(
        "
        0 subscribe desk ...
        0 unsubscribe desk ...
        1 reply desk mia x
          NOT_SUBSCRIBED
          desk: rejection 0 NOT_SUBSCRIBED
        2 reply crm mia x
          NOT_SUBSCRIBED to nobody
        3 message hi
          DISCONNECTED to nobody
        4 reply desk mia x number=+4930999999
          NOT_SUBSCRIBED to nobody
        5 subscribe books ...
        6 unsubscribe books ...
        7 pickup books mia
          NOT_SUBSCRIBED
          books: rejection 1 NOT_SUBSCRIBED
        ",
    );
}

#[test]
fn at_most_256_services_ever() {
    let mut played = Played::default();
    for n in 0..256 {
        let [joined, left] = ["subscribe", "unsubscribe"].map(|action| played.line(&format!("0 {action} s{n}")));
        assert_eq!(joined, [format!("s{n}: channel s{n} MASKED FULL")]);
        assert_eq!(left, [format!("s{n}: channel left")]);
    }
    assert_eq!(played.line("0 subscribe late id=x"), ["TOO_MANY_SERVICES to nobody"]);
    assert_eq!(played.line("0 subscribe late id=x"), ["duplicate"]);
    assert_eq!(played.line("0 subscribe late licence=STANDALONE"), ["TOO_MANY_SERVICES to nobody"]);
    assert_eq!(played.line("0 subscribe s255"), ["s255: channel s255 MASKED FULL"]);
    assert_eq!(played.line("0 subscribe s0 product=books"), ["s0: channel~ s0 MASKED FULL"]);
    // Another number has room.
    assert_eq!(played.line("0 subscribe late number=+4930999999"), ["late: channel late MASKED FULL"]);
}

#[test]
fn all_256_at_once() {
    let mut played = Played::default();
    for n in 0..256 {
        let line = format!("0 subscribe s{n} display_others=FULL");
        assert_eq!(played.line(&line).len(), n + 1);
    }
    let told = played.line("1 reply s200 mia x");
    assert_eq!(told.len(), 3 * 256, "opening, entry and pickup to each");
    assert!(told.contains(&"s255: entry 1 s200/mia FULL x".to_owned()));
    let told = played.line("2 subscribe s200 display_others=FULL share_own=MASKED");
    assert_eq!(told.len(), 1 + 255, "its own channel row, and its entry again to each other");
    assert!(told.contains(&"s0: entry 1 s200/mia MASKED ?".to_owned()));
    assert_eq!(played.line("3 unsubscribe s200").len(), 255 + 1 + 255, "channel rows, and the pickup's end");
}
