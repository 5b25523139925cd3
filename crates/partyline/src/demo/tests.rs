//! The demo tells what it says it tells, in 100 columns.

use serde_json::Value;

use super::*;

fn printed(print: impl FnOnce(&Told, &mut Vec<u8>) -> io::Result<()>) -> String {
    let told = play(Story::from_sample().unwrap()).unwrap();
    assert!(told.holds());
    let mut out = Vec::new();
    print(&told, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn fits_a_terminal_and_tells_the_story() {
    let text = printed(|told, out| print::print(told, Look { columns: 100, colour: false }, out));
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
    for said in ["concierge ★", "▒▒▒ masked", "taken over", "NOT_PARENT", "rides ★, travel", "✓ equal", "NOTICE.md"]
    {
        assert!(text.contains(said), "{said} is missing in\n{text}");
    }
    assert!(text.lines().count() <= 100, "{} lines", text.lines().count());
}

#[test]
fn facts_are_what_the_contract_says() {
    let text = printed(|told, out| facts::print(told, out));
    let facts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &'static str| facts.iter().filter(move |fact| fact["fact"] == kind);
    assert_eq!(of("entry").count(), 18);
    let seen = |seq: u64| of("entry").find(|fact| fact["seq"] == seq).unwrap()["seen"].clone();
    // travel's reply: masked to concierge, which masks everybody's; in full to rides.
    assert_eq!(seen(6)["concierge"]["masked"], true);
    assert_eq!(seen(6)["rides"]["text"], "How about the California Museum?");
    // rides' reply: in full to itself alone.
    assert_eq!(seen(10)["travel"]["masked"], true);
    assert_eq!(seen(10)["rides"]["text"], "What type?");
    // concierge had left.
    assert_eq!(seen(16)["concierge"], Value::Null);
    assert_eq!(of("entry").next_back().unwrap()["who"], "bot · rides");
    let kinds: Vec<_> = of("warning").map(|fact| fact["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["REPLY_OVER_PICKUP", "TAKEN_OVER"]);
    assert_eq!(of("rejection").count(), 1);
    assert_eq!(of("proof").filter(|fact| fact["equal"] == true).count(), 3);
    let counts = of("counts").next().unwrap();
    assert_eq!((counts["rejected"].as_u64(), counts["invalid"].as_u64()), (Some(1), Some(0)));
}

#[test]
fn commands_can_be_published() {
    let story = Story::from_sample().unwrap();
    for line in story.until_the_parent_leaves.iter().chain(&story.afterwards) {
        partyline_wire::command_from_json(line).unwrap();
    }
    assert!(story.afterwards.first().unwrap().contains("unsubscribe"));
}
