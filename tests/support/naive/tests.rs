//! Tables, one for each rule: a script of commands, and what the last of them published.
//!
//! A line of a script is `<seconds of log time> <action> <words> <field=value ...>`; the words are the service, the
//! agent and what is said, as far as the action has them. The customer is always `7` unless a field says otherwise.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{Fed, Naive, Outcome};

fn command(line: &str, n: usize) -> (i64, Value) {
    let mut words = line.split(' ');
    let seconds: i64 = words.next().unwrap().parse().unwrap();
    let action = words.next().unwrap();
    let names: &[&str] = match action {
        "message" => &["text"],
        "reply" => &["service", "agent", "text"],
        _ => &["service", "agent"],
    };
    let mut body = json!({});
    let mut id = format!("c{n}");
    if ["message", "reply", "pickup"].contains(&action) {
        body["customer"] = json!("7");
    }
    let mut place = 0;
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or_else(|| {
            place += 1;
            (names[place - 1], word)
        });
        match name {
            "id" => id = value.to_owned(),
            "text" => body["content"] = json!({"text": value}),
            "hold_for_s" | "seen_seq" => body[name] = json!(value.parse::<i64>().unwrap()),
            "take_over" | "release" => body[name] = json!(value == "true"),
            _ => body[name] = json!(value),
        }
    }
    (seconds * 1_000, json!({"command_id": id, "business_number": "+4930111222", action: body}))
}

/// A row in a few words.
fn short(key: &str, row: &Value) -> String {
    let who = |value: &Value| match value["service"].as_str() {
        Some(service) => format!("{service}/{}", value["agent"].as_str().unwrap_or("-")),
        None => "-".to_owned(),
    };
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let last = key.rsplit('/').next().unwrap();
    let (kind, body) = row.as_object().unwrap().iter().find(|(kind, _)| *kind != "cause").unwrap();
    let tilde = if body["channel_id"].as_str().is_some_and(|id| id.contains('~')) { "~" } else { "" };
    let rest = match kind.as_str() {
        "channel" if body["subscribed"] != true => "left".to_owned(),
        "channel" => {
            let subscribers: Vec<_> = body["subscribers"].as_array().unwrap().iter().map(text).collect();
            let (others, own) = (text(&body["display_others"]), text(&body["share_own"]));
            assert_eq!(body["parent"], body["subscribers"][0]);
            format!("{} {others} {own}", subscribers.join(","))
        }
        "conversation" => {
            let holder = &body["holder"];
            let second = |name: &str| holder[name].as_i64().unwrap_or_default() / 1_000;
            match holder.is_null() {
                true => format!("{last} -"),
                false => format!("{last} {} {}..{}", who(holder), second("since_ms"), second("until_ms")),
            }
        }
        "entry" => {
            let said = body["content"]["text"].as_str().unwrap_or("?");
            format!("{} {} {} {said}", body["seq"], who(&body["author"]), text(&body["visibility"]))
        }
        "warning" => {
            let number = |name: &str| body[name].as_i64().unwrap_or_default();
            let (by, holder) = (who(&body["by"]), who(&body["holder"]));
            format!("{last} {} by {by} over {holder} {} {}", text(&body["kind"]), number("seq"), number("latest_seq"))
        }
        _ => format!("{last} {}", text(&body["reason"])),
    };
    format!("{kind}{tilde} {rest}")
}

/// Plays the script and compares the last command's outcome and rows, service by service.
fn check(script: &[&str], expected: &[&str]) {
    let mut naive = Naive::new();
    let mut outcome = Outcome::Invalid;
    let mut before = Vec::new();
    for (n, line) in script.iter().enumerate() {
        before = naive.topics().iter().map(|(service, rows)| (service.clone(), rows.len())).collect();
        let (at_ms, command) = command(line, n);
        outcome = naive.apply(Fed { partition: 0, offset: n as u64, at_ms, command: &command });
    }
    let mut seen = match outcome {
        Outcome::Accepted => vec![],
        Outcome::Rejected { reason, dead_letter: false } => vec![reason],
        Outcome::Rejected { reason, dead_letter: true } => vec![format!("{reason} to nobody")],
        other => vec![format!("{other:?}")],
    };
    for (service, rows) in naive.topics() {
        let known = before.iter().find(|(name, _)| name == service).map_or(0, |(_, count)| *count);
        for (place, (key, row)) in rows[known..].iter().enumerate() {
            assert_eq!(row["cause"]["index"].as_u64().unwrap_or_default(), place as u64, "{key}");
            assert_eq!(row["cause"]["offset"].as_u64().unwrap_or_default(), script.len() as u64 - 1, "{key}");
            seen.push(format!("{service}: {}", short(key, row)));
        }
    }
    assert_eq!(seen, expected, "{script:#?}");
}

const DESK: &str = "0 subscribe desk";
const CRM: &str = "0 subscribe crm";
const CRM_FULL: &str = "0 subscribe crm display_others=FULL";

#[test]
fn rows_are_as_in_the_contracts_example() {
    let commands = [
        json!({"command_id":"c1","business_number":"+4930111222","subscribe":{"service":"desk"}}),
        json!({"command_id":"c1b","business_number":"+4930111222","subscribe":{"service":"crm"}}),
        json!({"command_id":"c2","business_number":"+4930111222","message":{"customer":"+4915155501","message_id":"wamid.A1","content":{"text":"Where is my parcel?"}}}),
        json!({"command_id":"c3","business_number":"+4930111222","reply":{"service":"desk","agent":"mia","customer":"+4915155501","content":{"text":"On its way."},"seen_seq":1}}),
    ];
    let mut naive = Naive::new();
    for (offset, command) in (14..).zip(&commands) {
        let fed = Fed { partition: 1, offset, at_ms: 1_767_225_600_000, command };
        assert_eq!(naive.apply(fed), Outcome::Accepted);
    }
    let key = "entry/+4930111222/+4915155501/00000000000000000002";
    let masked = json!({"cause":{"offset":17},"entry":{"channel_id":"+4930111222","customer":"+4915155501","seq":2,"author":{"service":"desk","agent":"mia","origin":"AGENT"},"visibility":"MASKED","source":{"partition":1,"offset":17},"at_ms":1_767_225_600_000_i64}});
    assert_eq!(naive.view("crm")[key], masked);
    let own = json!({"cause":{"offset":17},"entry":{"channel_id":"+4930111222","customer":"+4915155501","seq":2,"author":{"service":"desk","agent":"mia","origin":"AGENT"},"visibility":"FULL","content":{"text":"On its way."},"command_id":"c3","source":{"partition":1,"offset":17},"at_ms":1_767_225_600_000_i64}});
    assert_eq!(naive.view("desk")[key], own);
    let channel = json!({"cause":{"offset":15,"index":0},"channel":{"channel_id":"+4930111222","subscribed":true,"parent":"desk","subscribers":["desk","crm"],"display_others":"MASKED","share_own":"FULL"}});
    assert_eq!(naive.view("crm")["channel/+4930111222"]["channel"], channel["channel"]);
}

#[test]
fn subscribe() {
    check(&[DESK], &["desk: channel desk MASKED FULL"]);
    check(&[DESK, CRM_FULL], &["crm: channel desk,crm FULL FULL", "desk: channel desk,crm MASKED FULL"]);
    // Again, with nothing changed; with other settings; and desk always shows others masked.
    check(&[DESK, CRM, CRM], &[]);
    check(&[DESK, CRM_FULL, CRM], &["crm: channel desk,crm MASKED FULL"]);
    check(&[DESK, "0 subscribe desk display_others=FULL"], &[]);
    check(&["0 subscribe desk product=sales display_others=FULL"], &["desk: channel desk FULL FULL"]);
    check(&["0 subscribe crm product=desk display_others=FULL"], &["crm: channel crm MASKED FULL"]);
    // Restricted by licence, by product, by a name that is the product.
    for line in
        ["0 subscribe books", "0 subscribe books licence=STANDALONE product=crm", "0 subscribe books product=payroll"]
    {
        check(&[DESK, line], &["books: channel~ books MASKED FULL"]);
    }
    check(&["0 subscribe books product=crm"], &["books: channel books MASKED FULL"]);
}

#[test]
fn a_service_comes_and_goes() {
    check(
        &[DESK, CRM, "1 message hi", "2 pickup desk mia", "3 unsubscribe desk"],
        &["crm: channel crm MASKED FULL", "crm: conversation 7 -", "desk: channel left"],
    );
    check(
        &[DESK, "3 unsubscribe desk", "3 unsubscribe desk id=x"],
        &["NOT_SUBSCRIBED", "desk: rejection 0 NOT_SUBSCRIBED"],
    );
    check(&["3 unsubscribe desk"], &["NOT_SUBSCRIBED to nobody"]);
    check(&[DESK, "3 unsubscribe desk", "4 message hi"], &["DISCONNECTED to nobody"]);
    // From shared to isolated: it leaves there first; its history stays there.
    check(
        &[DESK, CRM, "1 message hi", "2 subscribe desk licence=STANDALONE"],
        &["crm: channel crm MASKED FULL", "desk: channel left", "desk: channel~ desk MASKED FULL"],
    );
    // And back: the history went on without it.
    check(
        &[DESK, CRM, "1 message hi", "2 subscribe desk licence=STANDALONE", "3 subscribe desk"],
        &[
            "crm: channel crm,desk MASKED FULL",
            "desk: channel~ left",
            "desk: channel crm,desk MASKED FULL",
            "desk: conversation 7 -",
            "desk: entry 1 - FULL hi",
        ],
    );
}

#[test]
fn no_more_than_256_services() {
    let lines: Vec<String> =
        (0..256).flat_map(|n| [format!("0 subscribe s{n}"), format!("0 unsubscribe s{n}")]).collect();
    let mut script: Vec<&str> = lines.iter().map(String::as_str).collect();
    script.push("0 subscribe late");
    check(&script, &["TOO_MANY_SERVICES to nobody"]);
    script.push("0 subscribe s0");
    check(&script, &["s0: channel s0 MASKED FULL"]);
}

#[test]
fn messages() {
    check(
        &[DESK, "0 subscribe books", "1 message hi"],
        &["books: conversation~ 7 -", "books: entry~ 1 - FULL hi", "desk: conversation 7 -", "desk: entry 1 - FULL hi"],
    );
    check(&[DESK, "1 message hi", "2 message ho"], &["desk: entry 2 - FULL ho"]);
    check(&[DESK, "1 message hi message_id=w", "2 message ho message_id=w"], &["Duplicate"]);
    check(&[DESK, "1 message hi id=w", "2 message ho id=w"], &["Duplicate"]);
    check(
        &[DESK, "1 message hi message_id=w", "2 message ho message_id=w customer=8"],
        &["desk: conversation 8 -", "desk: entry 1 - FULL ho"],
    );
    // A duplicate in one conversation, new in another.
    check(
        &[DESK, "1 message hi message_id=w", "1 subscribe books", "2 message hi message_id=w"],
        &["books: conversation~ 7 -", "books: entry~ 1 - FULL hi"],
    );
}

#[test]
fn replies_and_pickups() {
    // A business may write first.
    check(
        &[DESK, "1 reply desk mia hello"],
        &["desk: conversation 7 -", "desk: entry 1 desk/mia FULL hello", "desk: conversation 7 desk/mia 1..1801"],
    );
    check(&[DESK, "1 reply crm mia hello"], &["NOT_SUBSCRIBED to nobody"]);
    check(&[DESK, CRM, "1 reply crm bot hello origin=WORKFLOW"], &["NOT_PARENT", "crm: rejection 0 NOT_PARENT"]);
    // While an agent holds it, bots are silent and workflows pass.
    check(
        &[DESK, "1 pickup desk mia", "2 reply desk bot x origin=AUTO_REPLY"],
        &["PICKED_UP", "desk: rejection 0 PICKED_UP"],
    );
    check(&[DESK, "1 pickup desk mia", "2 reply desk bot x origin=WORKFLOW"], &["desk: entry 1 desk/bot FULL x"]);
    check(
        &[DESK, "1 pickup desk mia hold_for_s=9", "9 reply desk bot x origin=BOT"],
        &["PICKED_UP", "desk: rejection 0 PICKED_UP"],
    );
    check(
        &[DESK, "1 pickup desk mia hold_for_s=9", "10 reply desk bot x origin=BOT"],
        &["desk: entry 1 desk/bot FULL x"],
    );
    // Over another's pickup, with entries unseen: both warnings in this order, the second to its own service only.
    check(
        &[DESK, CRM, "1 message hi", "1 message ho", "1 pickup desk mia", "2 reply crm ravi x seen_seq=1"],
        &[
            "crm: entry 3 crm/ravi FULL x",
            "crm: warning 0 REPLY_OVER_PICKUP by crm/ravi over desk/mia 3 0",
            "crm: warning 1 UNSEEN_ENTRIES by crm/ravi over - 3 2",
            "desk: entry 3 crm/ravi MASKED ?",
            "desk: warning 0 REPLY_OVER_PICKUP by crm/ravi over desk/mia 3 0",
        ],
    );
    check(
        &[DESK, "1 message hi", "1 reply desk mia x", "2 reply desk mia x seen_seq=1"],
        &["desk: entry 3 desk/mia FULL x"],
    );
    // Less than half of the hold left: renewed, by its own length.
    check(&[DESK, "0 pickup desk mia hold_for_s=100", "50 reply desk mia x"], &["desk: entry 1 desk/mia FULL x"]);
    check(
        &[DESK, "0 pickup desk mia hold_for_s=100", "51 reply desk mia x"],
        &["desk: entry 1 desk/mia FULL x", "desk: conversation 7 desk/mia 0..151"],
    );
}

#[test]
fn pickups() {
    check(&[DESK, "1 pickup desk mia"], &["desk: conversation 7 -", "desk: conversation 7 desk/mia 1..1801"]);
    check(&[DESK, "1 pickup desk mia", "5 pickup desk mia hold_for_s=10"], &["desk: conversation 7 desk/mia 1..15"]);
    check(&[DESK, "1 pickup desk mia hold_for_s=2", "3 pickup desk mia"], &["desk: conversation 7 desk/mia 3..1803"]);
    check(
        &[DESK, "1 pickup desk mia", "2 pickup desk ravi"],
        &["desk: warning 0 ALREADY_PICKED_UP by desk/ravi over desk/mia 0 0"],
    );
    check(
        &[DESK, CRM, "1 pickup desk mia", "2 pickup crm mia take_over=true hold_for_s=8"],
        &[
            "crm: warning 0 TAKEN_OVER by crm/mia over desk/mia 0 0",
            "crm: conversation 7 crm/mia 2..10",
            "desk: warning 0 TAKEN_OVER by crm/mia over desk/mia 0 0",
            "desk: conversation 7 crm/mia 2..10",
        ],
    );
    check(&[DESK, "1 pickup desk mia", "2 pickup desk mia release=true take_over=true"], &["desk: conversation 7 -"]);
    for holder in ["1 message hi", "1 pickup desk ravi", "1 pickup desk mia hold_for_s=1"] {
        check(&[DESK, holder, "2 pickup desk mia release=true"], &["NOT_HOLDER", "desk: rejection 0 NOT_HOLDER"]);
    }
}

#[test]
fn ids_are_remembered() {
    check(&[DESK, "0 subscribe crm id=c0", "0 subscribe desk share_own=MASKED id=c0"], &["Duplicate"]);
    // A rejection is remembered where its scope exists.
    check(
        &[
            DESK,
            CRM,
            "1 message hi",
            "2 reply crm b x origin=BOT id=r",
            "0 unsubscribe desk",
            "3 reply crm b x origin=BOT id=r",
        ],
        &["Duplicate"],
    );
    check(
        &[DESK, CRM, "2 reply crm b x origin=BOT id=r", "0 unsubscribe desk", "3 reply crm b x origin=BOT id=r"],
        &["crm: conversation 7 -", "crm: entry 1 crm/b FULL x"],
    );
    check(&["0 unsubscribe desk id=u", DESK, "1 unsubscribe desk id=u"], &["desk: channel left"]);
    check(&[CRM, "0 unsubscribe desk id=u", DESK, "1 unsubscribe desk id=u"], &["Duplicate"]);
    // Exactly 256 of a kind; replies do not push messages out.
    let others: Vec<String> = (0..256).map(|n| format!("1 message x message_id=m{n}")).collect();
    for (count, duplicate) in [(255, true), (256, false)] {
        let mut script = vec![DESK, "1 message x message_id=w", "1 reply desk mia x id=w"];
        script.extend(others.iter().take(count).map(String::as_str));
        script.push("1 message x message_id=w");
        let entry = format!("desk: entry {} - FULL x", count + 3);
        check(&script, &[if duplicate { "Duplicate" } else { &entry }]);
        script.push("1 reply desk mia x id=w");
        check(&script, &["Duplicate"]);
    }
}

#[test]
fn history_and_masking() {
    let talk = [DESK, CRM_FULL, "1 message hi", "2 reply desk mia a", "3 reply crm ravi b seen_seq=2"];
    let then = |line: &'static str, expected: &[&str]| check(&[&talk[..], &[line]].concat(), expected);
    then(
        "4 subscribe sales display_others=FULL",
        &[
            "crm: channel desk,crm,sales FULL FULL",
            "desk: channel desk,crm,sales MASKED FULL",
            "sales: channel desk,crm,sales FULL FULL",
            "sales: conversation 7 desk/mia 2..1802",
            "sales: entry 1 - FULL hi",
            "sales: entry 2 desk/mia FULL a",
            "sales: entry 3 crm/ravi FULL b",
        ],
    );
    // How others are shown: the whole channel again, to that service.
    then(
        "4 subscribe crm",
        &[
            "crm: channel desk,crm MASKED FULL",
            "crm: entry 1 - FULL hi",
            "crm: entry 2 desk/mia MASKED ?",
            "crm: entry 3 crm/ravi FULL b",
        ],
    );
    // What is shared: the author's entries again, to the others.
    then(
        "4 subscribe desk share_own=MASKED",
        &["crm: entry 2 desk/mia MASKED ?", "desk: channel desk,crm MASKED MASKED"],
    );
    then(
        "4 subscribe desk share_own=MASKED licence=STANDALONE",
        &[
            "crm: channel crm FULL FULL",
            "crm: conversation 7 -",
            "crm: entry 2 desk/mia MASKED ?",
            "desk: channel left",
            "desk: channel~ desk MASKED MASKED",
        ],
    );
    then(
        "4 republish desk",
        &[
            "desk: channel desk,crm MASKED FULL",
            "desk: conversation 7 desk/mia 2..1802",
            "desk: entry 1 - FULL hi",
            "desk: entry 2 desk/mia FULL a",
            "desk: entry 3 crm/ravi MASKED ?",
        ],
    );
    then("4 republish sales", &["NOT_SUBSCRIBED to nobody"]);
}
