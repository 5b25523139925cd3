//! Channels, settings, restricted services, the parent, leaving and coming back.

use super::check;

#[test]
fn the_first_is_the_parent_and_everyone_is_told() {
    check(
        "
        0 subscribe desk
          desk: channel desk MASKED FULL
        0 subscribe crm display_others=FULL
          crm: channel desk,crm FULL FULL
          desk: channel desk,crm MASKED FULL
        0 subscribe sales share_own=MASKED
          crm: channel desk,crm,sales FULL FULL
          desk: channel desk,crm,sales MASKED FULL
          sales: channel desk,crm,sales MASKED MASKED
        ",
    );
}

#[test]
fn who_is_there_keeps_its_place_and_gets_what_the_command_says() {
    check(
        "
        0 subscribe crm display_others=FULL share_own=MASKED ...
        0 subscribe desk ...
        0 subscribe crm display_others=FULL share_own=MASKED
        0 subscribe crm share_own=MASKED
          crm: channel crm,desk MASKED MASKED
        0 subscribe crm
          crm: channel crm,desk MASKED FULL
        0 subscribe crm
        ",
    );
}

#[test]
fn desk_always_shows_others_masked() {
    check(
        "
        0 subscribe desk display_others=FULL
          desk: channel desk MASKED FULL
        0 subscribe desk product=sales display_others=FULL
          desk: channel desk FULL FULL
        0 subscribe desk product=desk display_others=FULL
          desk: channel desk MASKED FULL
        0 subscribe crm product=desk display_others=FULL
          crm: channel desk,crm MASKED FULL
          desk: channel desk,crm MASKED FULL
        ",
    );
}

#[test]
fn restricted_by_product() {
    for product in ["books", "inventory", "invoice", "subscriptions", "expense", "commerce", "checkout", "payroll"] {
        // By its own name, by its product, and not by its name where it has a product.
        check(&format!("0 subscribe {product}\n {product}: channel~ {product} MASKED FULL"));
        check(&format!("0 subscribe crm product={product}\n crm: channel~ crm MASKED FULL"));
        check(&format!("0 subscribe {product} product=crm\n {product}: channel {product} MASKED FULL"));
    }
    for product in ["crm", "book", "books-2", "desk"] {
        check(&format!("0 subscribe {product}\n {product}: channel {product} MASKED FULL"));
    }
}

#[test]
fn restricted_by_licence() {
    for (licence, isolated) in [("BUNDLE", ""), ("STANDALONE", "~"), ("UPGRADED_PORTAL", "~")] {
        check(&format!("0 subscribe crm licence={licence}\n crm: channel{isolated} crm MASKED FULL"));
        check(&format!("0 subscribe books licence={licence}\n books: channel~ books MASKED FULL"));
    }
}

#[test]
fn an_isolated_channel_is_alone_and_its_own_parent() {
    check(
        "
        0 subscribe desk ...
        0 subscribe books
          books: channel~ books MASKED FULL
        0 subscribe payroll
          payroll: channel~ payroll MASKED FULL
        1 message hi
          books: conversation~ 7 free
          books: entry~ 1 - FULL hi
          desk: conversation 7 free
          desk: entry 1 - FULL hi
          payroll: conversation~ 7 free
          payroll: entry~ 1 - FULL hi
        2 reply books bot x origin=BOT
          books: entry~ 2 books/bot FULL x
        3 reply desk mia y
          desk: entry 2 desk/mia FULL y
          desk: conversation 7 desk/mia 3..1803
        4 reply books bot z origin=BOT
          books: entry~ 3 books/bot FULL z
        ",
    );
}

#[test]
fn switching_leaves_first() {
    // Pickups end as the service leaves; who left is not told of them any more.
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 message hi ...
        1 pickup desk mia ...
        2 subscribe desk licence=STANDALONE share_own=MASKED
          crm: channel crm MASKED FULL
          crm: conversation 7 free
          desk: channel left
          desk: channel~ desk MASKED MASKED
        3 message ho
          crm: entry 2 - FULL ho
          desk: conversation~ 7 free
          desk: entry~ 1 - FULL ho
        4 subscribe desk
          crm: channel crm,desk MASKED FULL
          desk: channel~ left
          desk: channel crm,desk MASKED FULL
          desk: conversation 7 free
          desk: entry 1 - FULL hi
          desk: entry 2 - FULL ho
        5 message he
          crm: entry 3 - FULL he
          desk: entry 3 - FULL he
        6 subscribe desk licence=STANDALONE
          crm: channel crm MASKED FULL
          desk: channel left
          desk: channel~ desk MASKED FULL
          desk: conversation~ 7 free
          desk: entry~ 1 - FULL ho
        7 reply desk mia x
          desk: entry~ 2 desk/mia FULL x
          desk: conversation~ 7 desk/mia 7..1807
        8 subscribe desk
          crm: channel crm,desk MASKED FULL
          desk: channel~ left
          desk: channel crm,desk MASKED FULL
          desk: conversation 7 free
          desk: entry 1 - FULL hi
          desk: entry 2 - FULL ho
          desk: entry 3 - FULL he
        9 subscribe desk licence=STANDALONE
          crm: channel crm MASKED FULL
          desk: channel left
          desk: channel~ desk MASKED FULL
          desk: conversation~ 7 free
          desk: entry~ 1 - FULL ho
          desk: entry~ 2 desk/mia FULL x
        ",
    );
}

#[test]
fn the_earliest_that_remains_becomes_the_parent() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        0 subscribe sales ...
        1 reply crm bot x origin=BOT
          NOT_PARENT
          crm: rejection 0 NOT_PARENT
        2 unsubscribe desk
          crm: channel crm,sales MASKED FULL
          desk: channel left
          sales: channel crm,sales MASKED FULL
        3 reply crm bot x origin=BOT
          crm: conversation 7 free
          crm: entry 1 crm/bot FULL x
          sales: conversation 7 free
          sales: entry 1 crm/bot MASKED ?
        4 subscribe desk
          crm: channel crm,sales,desk MASKED FULL
          desk: channel crm,sales,desk MASKED FULL
          desk: conversation 7 free
          desk: entry 1 crm/bot MASKED ?
          sales: channel crm,sales,desk MASKED FULL
        5 unsubscribe sales
          crm: channel crm,desk MASKED FULL
          desk: channel crm,desk MASKED FULL
          sales: channel left
        6 unsubscribe crm
          crm: channel left
          desk: channel desk MASKED FULL
        7 reply desk bot x origin=AUTO_REPLY
          desk: entry 2 desk/bot FULL x
        ",
    );
}

#[test]
fn a_disconnected_number_keeps_its_history() {
    check(
        "
        0 message hi
          DISCONNECTED to nobody
        0 subscribe desk ...
        1 message hi
          desk: conversation 7 free
          desk: entry 1 - FULL hi
        2 unsubscribe desk
          desk: channel left
        3 message lost
          DISCONNECTED to nobody
        4 subscribe crm
          crm: channel crm MASKED FULL
          crm: conversation 7 free
          crm: entry 1 - FULL hi
        5 message ho
          crm: entry 2 - FULL ho
        ",
    );
    // One service in isolation is enough to be connected.
    check("0 subscribe books ...\n 1 message hi\n books: conversation~ 7 free\n books: entry~ 1 - FULL hi");
}

#[test]
fn leaving_ends_every_live_pickup_of_its_agents_and_no_other() {
    check(
        "
        0 subscribe desk ...
        0 subscribe crm ...
        1 pickup desk mia customer=1 ...
        1 pickup desk ravi customer=2 ...
        1 pickup crm mia customer=3 ...
        1 pickup desk mia customer=4 hold_for_s=2 ...
        1 pickup desk mia customer=5 hold_for_s=3 ...
        3 unsubscribe desk
          crm: channel crm MASKED FULL
          crm: conversation 1 free
          crm: conversation 2 free
          crm: conversation 5 free
          desk: channel left
        4 reply crm ravi x customer=3
          crm: entry 1 crm/ravi FULL x
          crm: warning 0 REPLY_OVER_PICKUP by crm/ravi over crm/mia 1 0
        ",
    );
}

#[test]
fn not_subscribed() {
    for command in ["unsubscribe desk", "republish desk", "reply desk mia x", "pickup desk mia"] {
        check(&format!("0 {command}\n NOT_SUBSCRIBED to nobody"));
        check(&format!("0 subscribe crm ...\n 0 {command}\n NOT_SUBSCRIBED to nobody"));
        let left = "0 subscribe desk ...\n 0 unsubscribe desk ...";
        check(&format!("{left}\n 0 {command}\n NOT_SUBSCRIBED\n desk: rejection 0 NOT_SUBSCRIBED"));
    }
}

#[test]
fn numbers_know_nothing_of_each_other() {
    check(
        "
        0 subscribe desk id=c ...
        1 message hi message_id=w ...
        2 subscribe crm number=+4930999999 id=c
          crm: channel crm MASKED FULL
        3 message hi number=+4930999999 message_id=w
          crm: conversation 7 free
          crm: entry 1 - FULL hi
        4 reply desk mia x number=+4930999999
          NOT_SUBSCRIBED to nobody
        ",
    );
}
