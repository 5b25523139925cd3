//! Tables and lines as people see them.

use std::collections::BTreeMap;

use clap::Parser;
use partyline_projector::ViewRows;
use serde_json::{Value, json};

use super::*;
use crate::demo::stage::Stage;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    args: ShowArgs,
}

const N: &str = "+493055501000";

struct Printed {
    exit: Exit,
    out: String,
    notes: String,
}

fn show(line: &str, json: bool, ask: &mut Ask<'_>) -> Printed {
    let args = Line::try_parse_from(std::iter::once("view").chain(line.split_whitespace())).unwrap().args;
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let look = Look { columns: 100, colour: false };
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_ms = i64::try_from(since_1970.as_millis()).unwrap();
    let mut screen = Screen { out: &mut out, notes: &mut notes, json, look, now_ms };
    let exit = answer(&args, ask, &mut screen).unwrap();
    Printed { exit, out: String::from_utf8(out).unwrap(), notes: String::from_utf8(notes).unwrap() }
}

/// A small office: a shared channel of desk and crm, and an isolated one of books.
fn office() -> Stage {
    let mut stage = Stage::open(&["desk", "crm", "books"]).unwrap();
    let mut lines = Vec::new();
    let mut put = |mut command: Value| {
        command["command_id"] = json!(format!("c-{}", lines.len()));
        command["business_number"] = json!(N);
        lines.push(command.to_string());
    };
    put(json!({ "subscribe": { "service": "desk" } }));
    put(json!({ "subscribe": { "service": "crm", "display_others": "FULL" } }));
    put(json!({ "subscribe": { "service": "books", "licence": "STANDALONE" } }));
    put(json!({ "message": { "customer": "+1", "content": { "text": "where is\nit \u{1b}[31mnow?" } } }));
    put(json!({ "reply": { "service": "crm", "agent": "cy", "customer": "+1", "content": { "text": "on its way" } } }));
    put(json!({ "reply": { "service": "desk", "agent": "di", "customer": "+1", "content": { "text": "indeed" } } }));
    put(json!({ "reply": { "service": "crm", "customer": "+1", "origin": "BOT", "content": { "text": "beep" } } }));
    put(
        json!({ "reply": { "service": "books", "agent": "bo", "customer": "+2", "content": { "text": "your bill" } } }),
    );
    put(json!({ "message": { "customer": "+1.x", "content": { "location": { "latitude": 1.5, "longitude": 2.5 } } } }));
    put(json!({ "pickup": { "service": "crm", "agent": "cy", "customer": "+3", "hold_for_s": 3600 } }));
    stage.play(&lines).unwrap();
    stage
}

#[test]
fn tables_for_people() {
    let mut stage = office();
    let mut check = |line: &str, present: &[&str], absent: &[&str]| {
        let service = line.split_whitespace().nth(1).unwrap().to_owned();
        let printed = show(line, false, &mut |query: &Query| stage.ask(&service, query));
        assert_eq!(printed.exit, Exit::Done, "{line}");
        let text = format!("{}{}", printed.out, printed.notes);
        for part in present {
            assert!(text.contains(part), "{line}: {part:?} is missing in\n{text}");
        }
        for part in absent {
            assert!(!text.contains(part), "{line}: {part:?} is in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    };
    check("channels desk", &["desk ★, crm", "shared", "masked"], &["books"]);
    check("channels books", &["+493055501000~books", "isolated", "books ★"], &["desk"]);
    check(
        "timeline desk +493055501000 +1",
        &["▒▒▒ masked", "cy · crm", "indeed", "where is"],
        &["on its way", "\u{1b}"],
    );
    check("timeline crm +493055501000 +1", &["on its way", "indeed", "cy · crm, "], &["masked"]);
    check("timeline crm +493055501000 +1 --last 1", &["indeed", "2 earlier entries"], &["on its way"]);
    check("timeline crm +493055501000 +3", &["nobody has written", "min left"], &[]);
    check("timeline books +493055501000 +2", &["your bill", "isolated channel +493055501000~books"], &[]);
    check("timeline books +493055501000~books +2", &["your bill"], &["isolated channel"]);
    check("inbox crm", &["on +493055501000", "+1.x", "[location]", "indeed", "cy · crm", "nothing yet"], &["where is"]);
    check("inbox crm --limit 1", &["2 older conversations"], &[]);
    check("warnings desk", &["REPLY_OVER_PICKUP", "wrote #3"], &[]);
    check("warnings books", &["no warnings for books"], &[]);
    check("rejections crm", &["c-6", "NOT_PARENT"], &[]);
    check("rejections desk", &["nothing of desk"], &[]);
    check("digest desk", &["digest  ", "rows    ", "UTC"], &[]);
}

#[test]
fn json_lines_are_sorted_and_complete() {
    let mut stage = office();
    let rows = show("rows crm", true, &mut |query: &Query| stage.ask("crm", query)).out;
    let keys: Vec<String> = rows
        .lines()
        .map(|line| {
            assert!(line.starts_with(r#"{"key":""#), "{line}");
            serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_owned()
        })
        .collect();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(keys, sorted);
    let summary = summary(&mut |query: &Query| stage.ask("crm", query)).unwrap();
    assert_eq!(keys.len() as u64, summary.rows);
    for (line, count) in [
        ("rows crm --prefix entry/+493055501000/+1/", 3),
        ("timeline crm +493055501000 +1", 3),
        ("timeline crm +493055501000 +1 --last 2", 2),
        ("inbox crm", 3),
        ("channels crm", 1),
        ("warnings crm", 1),
        ("rejections crm", 1),
        ("digest crm", 1),
    ] {
        let printed = show(line, true, &mut |query: &Query| stage.ask("crm", query));
        assert_eq!(printed.out.lines().count(), count, "{line}\n{}", printed.out);
        printed.out.lines().for_each(|line| assert!(serde_json::from_str::<Value>(line).unwrap().is_object()));
    }
}

#[test]
fn a_conversation_that_is_not_there() {
    let mut stage = office();
    let printed = show("timeline crm +493055501000 +99", false, &mut |query: &Query| stage.ask("crm", query));
    assert_eq!((printed.exit, printed.out.as_str()), (Exit::Differs, ""));
    assert!(printed.notes.contains("crm sees no conversation with +99"), "{}", printed.notes);
}

#[test]
fn wrong_names_are_refused() {
    for line in
        ["inbox Desk", "timeline crm 4930 +1", "timeline crm +493055501000~X +1", "timeline crm +493055501000 é"]
    {
        let Err(usage) = Line::try_parse_from(std::iter::once("view").chain(line.split_whitespace())) else {
            panic!("{line} was accepted")
        };
        assert_eq!(usage.exit_code(), 2, "{line}");
    }
}

/// Answers from a map, a row at a time: every page boundary is crossed.
fn ask_of(rows: BTreeMap<Vec<u8>, Vec<u8>>) -> impl FnMut(&Query) -> anyhow::Result<Answer> {
    move |query| {
        let Query::Rows { prefix, after, .. } = query else {
            return Ok(Answer::Rows(ViewRows::default()));
        };
        let mut found = rows.iter().filter(|(key, _)| key.starts_with(prefix) && Some(*key) > after.as_ref());
        let row = found.next().map(|(key, value)| (key.clone(), value.clone()));
        Ok(Answer::Rows(ViewRows { rows: row.into_iter().collect(), more: found.next().is_some() }))
    }
}

#[test]
fn odd_rows_are_no_reason_to_stop() {
    let mut rows = BTreeMap::new();
    for prefix in ["entry", "conversation", "channel", "warning", "rejection"] {
        for (at, tail) in
            ["", "/", "/+49", "/+493055501000/+1", "/+493055501000/+1/00000000000000000001"].iter().enumerate()
        {
            // Not protobuf, a row of no kind, an entry with nothing in it, an entry with an unknown enum value.
            let values: [&[u8]; 5] = [b"\xff\xff", b"", b"\x22\x00", b"\x22\x02\x28\x63", b"\x12\x02\x30\x63"];
            rows.insert([prefix.as_bytes(), tail.as_bytes()].concat(), values[at].to_vec());
        }
    }
    rows.insert(b"entry/\xff/\xfe/1".to_vec(), b"\x22\x00".to_vec());
    for line in [
        "rows crm",
        "inbox crm",
        "channels crm",
        "warnings crm",
        "rejections crm",
        "timeline crm +493055501000 +1",
        "timeline crm +493055501000 +1 --last 1",
    ] {
        for json in [false, true] {
            let printed = show(line, json, &mut ask_of(rows.clone()));
            if line == "rows crm" {
                assert_eq!(printed.out.lines().count(), rows.len());
            }
        }
    }
}

#[test]
fn contents_in_words() {
    for (content, expected) in [
        (json!({ "text": "a\u{7}b\u{202e}c" }), "a bc"),
        (json!({ "media": { "kind": "IMAGE", "caption": "cat" } }), "[image] cat"),
        (json!({ "location": { "latitude": 1.0, "name": "here" } }), "[location] here (1.00000, 0.00000)"),
        (json!({ "choice": { "id": "7" } }), "[chose] 7"),
        (
            json!({ "interactive": { "text": "which?", "options": [{ "title": "A" }, { "title": "B" }] } }),
            "which? [A] [B]",
        ),
        (json!({ "template": { "name": "hello", "parameters": ["x", "y"] } }), "[template hello] x, y"),
        (json!({ "reaction": { "message_id": "m", "emoji": "👍" } }), "[reacted] 👍"),
        (json!({ "reaction": { "message_id": "m" } }), "[took a reaction back]"),
        (json!({ "unsupported": { "type": "poll" } }), "[not supported] poll"),
        (json!({ "hologram": 3 }), "[hologram]"),
        (json!(null), "[nothing]"),
    ] {
        assert_eq!(content::text(&content), expected, "{content}");
    }
    assert_eq!(content::snippet("a \n b", 3), "a b");
    assert_eq!(content::snippet("abcd", 3), "ab…");
}

#[test]
fn times_and_spans() {
    assert_eq!(time::utc(0), "1970-01-01 00:00:00");
    assert_eq!(time::utc(i64::MAX), format!("{} ms", i64::MAX));
    for (ms, expected) in
        [(1_500, "1 s"), (119_999, "119 s"), (120_000, "2 min"), (7_200_000, "2 h"), (u64::MAX, "213503982334 days")]
    {
        assert_eq!(time::span(ms), expected);
    }
}

#[test]
fn the_newest_of_many() {
    let mut newest = newest::Newest::new(3);
    (0..100).for_each(|n| newest.push((n * 37) % 100, (n * 37) % 100));
    assert_eq!(newest.left_out(), 97);
    assert_eq!(newest.into_newest().collect::<Vec<_>>(), [99, 98, 97]);
}
