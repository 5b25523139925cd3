//! Malformed lines and records, each with its message.
use partyline_tests::workload::invalid_commands;
use partyline_wire::command_from_json;
#[test]
fn print() {
    for bad in invalid_commands() {
        let Ok(line) = std::str::from_utf8(&bad.line) else { println!("{} => NOT UTF8", bad.why); continue };
        println!("{} => {}", bad.why, command_from_json(line).map(|_| ()).map_or_else(|e| e.to_string(), |()| "OK".into()));
    }
}
