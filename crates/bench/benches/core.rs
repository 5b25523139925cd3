//! The pure core and the codec, for daily work: `cargo bench -p partyline-bench --bench core`.
//!
//! Each figure is for one command: a customer's message in a conversation that goes on, on a number with three services.

use std::{convert::Infallible, hint::black_box};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use partyline_ledger::{
    At, ChannelId, Command, Conversation, Customer, Entry, IdHash, IdKind, Memory, Number, Row, apply,
};
use partyline_wire::{
    Cause, Placed, command_from_json, decode_command, encode_row, partition_of, row_key, row_to_json,
};

const NUMBER: &str = "+4930111222";
const SERVICES: [&str; 3] = ["desk", "crm", "campaigns"];
const PARTITIONS: u32 = 8;

/// One conversation; nothing is kept of the lists that only a retelling reads.
#[derive(Clone, Default)]
struct OneConversation(Conversation);

impl Memory for OneConversation {
    type Error = Infallible;

    fn conversation(&mut self, _: &ChannelId, _: &Customer) -> Result<&Conversation, Infallible> {
        Ok(&self.0)
    }

    fn conversation_mut(&mut self, _: &ChannelId, _: &Customer) -> Result<&mut Conversation, Infallible> {
        Ok(&mut self.0)
    }

    fn kept_ids(&mut self, _: &ChannelId, _: &Customer, _: IdKind) -> Result<Vec<IdHash>, Infallible> {
        Ok(Vec::new())
    }

    fn append_conversation(&mut self, _: &ChannelId, _: u64, _: &Customer) -> Result<(), Infallible> {
        Ok(())
    }

    fn append_entry(&mut self, _: &ChannelId, _: u64, _: &Entry) -> Result<(), Infallible> {
        Ok(())
    }

    fn conversations(&mut self, _: &ChannelId, _: u64, _: u64) -> Result<Vec<Customer>, Infallible> {
        Ok(Vec::new())
    }

    fn entries(&mut self, _: &ChannelId, _: u64, _: u64) -> Result<Vec<Entry>, Infallible> {
        Ok(Vec::new())
    }
}

/// A number with its services, and so many messages.
struct Given {
    number: Number,
    lines: Vec<String>,
    values: Vec<Vec<u8>>,
    commands: Vec<Command>,
}

fn given(messages: usize) -> Given {
    let parse = |line: &str| command_from_json(line).unwrap_or_else(|invalid| unreachable(&invalid));
    let mut number = Number::default();
    for service in SERVICES {
        let line = format!(
            r#"{{"command_id":"join-{service}","business_number":"{NUMBER}","subscribe":{{"service":"{service}","display_others":"FULL"}}}}"#
        );
        let _ = apply(&mut number, &mut OneConversation::default(), &parse(&line).command, AT);
    }
    let lines: Vec<String> = (0..messages).map(message).collect();
    let parsed: Vec<_> = lines.iter().map(|line| parse(line)).collect();
    let values = parsed.iter().map(|parsed| parsed.value.clone()).collect();
    Given { number, lines, values, commands: parsed.into_iter().map(|parsed| parsed.command).collect() }
}

const AT: At = At { offset: 1, time_ms: 1_767_225_600_000 };

fn message(ix: usize) -> String {
    format!(
        r#"{{"command_id":"c-{ix}","business_number":"{NUMBER}","message":{{"customer":"+4915155501","message_id":"wamid.{ix:024}","sent_at_ms":1767225600000,"content":{{"text":"Where is my parcel? It was sent last week, and it should be here by now."}}}}}}"#
    )
}

fn unreachable(why: &dyn std::fmt::Display) -> ! {
    eprintln!("{why}");
    std::process::exit(1)
}

fn rows_of(number: &mut Number, memory: &mut OneConversation, command: &Command) -> Vec<Row> {
    let Ok(applied) = apply(number, memory, command, AT);
    applied.rows.into_iter().map(|addressed| addressed.row).collect()
}

fn core(criterion: &mut Criterion) {
    let Given { number, lines, values, commands } = given(1_000);
    let placed = Placed { partition: partition_of(NUMBER.as_bytes(), PARTITIONS), partitions: PARTITIONS };
    let mut at = (0..commands.len()).cycle();
    let mut next = move || at.next().unwrap_or_default();

    criterion.bench_function("decode", |bench| {
        bench.iter(|| decode_command(Some(NUMBER.as_bytes()), Some(black_box(&values[next()])), placed));
    });

    let mut at = (0..commands.len()).cycle();
    let mut next = move || at.next().unwrap_or_default();
    // The window of seen ids is shorter than the list, so no message is a duplicate.
    let (mut live, mut memory) = (number.clone(), OneConversation::default());
    let (mut key, mut value) = (Vec::new(), Vec::new());
    criterion.bench_function("apply and encode", |bench| {
        bench.iter(|| {
            for row in rows_of(&mut live, &mut memory, black_box(&commands[next()])) {
                key.clear();
                value.clear();
                row_key(&mut key, &row);
                encode_row(&mut value, &row, Cause { partition: placed.partition, offset: 1, index: 0 });
                black_box((&key, &value));
            }
        });
    });

    let mut at = (0..lines.len()).cycle();
    let mut next = move || at.next().unwrap_or_default();
    criterion.bench_function("command from JSON", |bench| bench.iter(|| command_from_json(black_box(&lines[next()]))));

    let given = given(1);
    let rows = rows_of(&mut { number }, &mut OneConversation::default(), &given.commands[0]);
    criterion.bench_function("row to JSON", |bench| {
        bench.iter_batched(
            || {
                let mut value = Vec::new();
                rows.iter().for_each(|row| {
                    value.clear();
                    encode_row(&mut value, row, Cause { partition: 0, offset: 1, index: 0 });
                });
                value
            },
            |value| row_to_json(&value),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, core);
criterion_main!(benches);
