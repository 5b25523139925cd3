//! Publishing against a log in memory.

use std::{io::Read, time::Duration};

use partyline_log::{LogError, Offset, Partition, Reader, Record, Records};
use partyline_wire::{Exception, Outcomes, Verdict};

use super::{
    lines::{self, Item, LINE_BYTES_MAX},
    outcomes::{Placed, Waiting},
};

const GOOD: &str = r#"{"command_id":"c1","business_number":"+4930111222","subscribe":{"service":"desk"}}"#;

fn items(input: impl Read + Send + 'static) -> Vec<Item> {
    lines::read(input).unwrap().into_iter().flat_map(|chunk| chunk.items).collect()
}

fn bad(item: &Item) -> (u64, &str) {
    match item {
        Item::Bad(line, problem) => (*line, problem),
        Item::Good(good) => panic!("line {} is good", good.line),
    }
}

#[test]
fn bad_lines_do_not_stop_the_good_ones() {
    let long = format!("{{\"x\":\"{}\"}}", "a".repeat(LINE_BYTES_MAX));
    let mut input = format!("{GOOD}\n\n  \nno json\n{long}\n").into_bytes();
    input.extend_from_slice(b"\xff\n");
    input.extend_from_slice(GOOD.as_bytes());
    let found = items(std::io::Cursor::new(input));
    let lines: Vec<_> = found.iter().map(|item| if let Item::Good(good) = item { good.line } else { 0 }).collect();
    assert_eq!(lines, [1, 0, 0, 0, 7]);
    assert_eq!(bad(&found[1]).0, 4);
    assert!(bad(&found[1]).1.starts_with("line "));
    assert_eq!(bad(&found[2]), (5, "line is longer than 524288 bytes"));
    assert_eq!(bad(&found[3]), (6, "line is not UTF-8"));
}

#[test]
fn a_bad_field_is_named() {
    let found = items(std::io::Cursor::new(GOOD.replace("desk", "Desk").into_bytes()));
    assert!(bad(&found[0]).1.starts_with("subscribe.service "), "{}", bad(&found[0]).1);
}

#[test]
fn a_line_of_the_longest_kind_is_whole() {
    let padded = format!("{}{GOOD}", " ".repeat(LINE_BYTES_MAX - GOOD.len()));
    assert!(matches!(items(std::io::Cursor::new(padded.into_bytes()))[0], Item::Good(_)));
}

#[test]
fn the_longest_line_that_a_command_needs() {
    // Within the bounds of a command, and six bytes for each of its own.
    let parameter = "\\u0001".repeat(1_024);
    let parameters = vec![format!("\"{parameter}\""); 63].join(",");
    let template = format!("{{\"template\":{{\"name\":\"t\",\"language\":\"de\",\"parameters\":[{parameters}]}}}}");
    let message = format!("{{\"customer\":\"7\",\"content\":{template}}}");
    let line = format!("{{\"command_id\":\"c1\",\"business_number\":\"+4930111222\",\"message\":{message}}}");
    assert!(
        matches!(&items(std::io::Cursor::new(line.into_bytes()))[0], Item::Good(good) if good.value.len() > 64_000)
    );
}

/// Input that fails after one line.
struct Failing(bool);

impl Read for Failing {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if std::mem::replace(&mut self.0, true) {
            return Err(std::io::Error::other("the disk is gone"));
        }
        let line = format!("{GOOD}\n");
        buf[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

#[test]
fn input_that_fails_is_told() {
    let chunks: Vec<_> = lines::read(Failing(false)).unwrap().into_iter().collect();
    assert_eq!(chunks[0].items.len(), 1);
    assert!(chunks.last().unwrap().failed.is_some());
}

/// Gives out one batch of outcomes a call.
struct Scripted(Vec<Outcomes>);

impl Reader for Scripted {
    fn next(&mut self, into: &mut Records, _wait: Duration) -> Result<(), LogError> {
        into.clear();
        if let Some(outcomes) = self.0.pop() {
            let mut value = Vec::new();
            outcomes.encode(&mut value);
            let partition = outcomes.partition;
            into.push(Record { partition, offset: 0, at_ms: 0, key: None, value: Some(&value), headers: &[] });
        }
        Ok(())
    }

    fn position(&self, _partition: Partition) -> Offset {
        0
    }
}

fn waiting(outcomes: Vec<Outcomes>) -> Waiting {
    Waiting::on(Box::new(Scripted(outcomes)))
}

fn placed(offset: u64) -> Placed {
    Placed { line: offset, id: format!("c{offset}").into(), partition: 1, offset }
}

fn applied(first_offset: u64, last_offset: u64, rejected: &[u64]) -> Outcomes {
    let exception = |offset: &u64| Exception { offset: *offset, verdict: Verdict::Rejected("NOT_PARENT".to_owned()) };
    Outcomes { partition: 1, first_offset, last_offset, exceptions: rejected.iter().map(exception).collect() }
}

fn answers(waiting: &mut Waiting) -> Vec<(u64, bool)> {
    waiting.answered().into_iter().map(|(placed, verdict)| (placed.offset, verdict.is_none())).collect()
}

#[test]
fn outcomes_after_receipts() {
    let mut waiting = waiting(vec![applied(7, 9, &[8])]);
    [7, 8, 10].into_iter().for_each(|offset| waiting.placed(placed(offset)));
    waiting.read(Duration::ZERO, true).unwrap();
    assert_eq!(answers(&mut waiting), [(7, true), (8, false)]);
    assert_eq!(waiting.unanswered(), 1);
    assert_eq!(waiting.give_up().next(), Some(placed(10)));
}

#[test]
fn outcomes_before_receipts() {
    let mut waiting = waiting(vec![applied(7, 9, &[7, 8])]);
    waiting.read(Duration::ZERO, false).unwrap();
    [8, 9, 10].into_iter().for_each(|offset| waiting.placed(placed(offset)));
    assert_eq!(answers(&mut waiting), [(8, false), (9, true)]);
    assert_eq!(waiting.unanswered(), 1);
}
