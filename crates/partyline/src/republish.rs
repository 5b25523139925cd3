//! `partyline republish`: a `republish` command for each number that a service has.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use partyline_ledger::{Action, BusinessNumber};
use partyline_log::{Backend, LogError, Records};
use partyline_projector::{Answer, Query};
use partyline_wire::{CommandLine, Invalid, Placed, command_from_json, decode_command, row_to_json};

use crate::{
    ask::ViewClient,
    cli::RepublishArgs,
    config::Config,
    exit::{Exit, Usage, say},
    publish::{Chunk, Engine, Good, Item},
    run::{Signals, Stop, patiently},
};

/// So many commands are handed on at once.
const CHUNK_ITEMS: usize = 1_000;
/// An answer of the view has at most so many bytes of rows.
const PAGE_BYTES: usize = 1 << 20;
const CHANNELS: &str = "channel/";

/// Publishes the commands; the projector does the rest.
///
/// # Errors
/// If the log cannot be used, or nobody knows the service's numbers.
pub fn run(args: &RepublishArgs, config: &Config) -> anyhow::Result<Exit> {
    let signals = Signals::listen()?;
    let log = config.connect_existing()?;
    let service = args.service.as_str();
    let numbers = match &args.number {
        Some(number) => BTreeSet::from([number.as_str().to_owned()]),
        None => numbers(&*log.backend, service, config, &signals.stop)?,
    };
    if signals.stop.is_set() {
        return Ok(Exit::Differs);
    }
    if numbers.is_empty() {
        let problem = format!("{service} was never subscribed to a number: there is nothing to publish");
        return Err(Usage(problem).into());
    }
    say(format_args!("partyline: a republish command for {} numbers of {service}", numbers.len()));
    let engine = patiently(&signals.stop, || Engine::new(&*log.backend, None, config.json))?;
    let (chunks, received) = sync_channel(1);
    thread::scope(|scope| {
        scope.spawn(|| write(chunks, &numbers, service));
        engine.run(received, &signals.stop)
    })
}

/// Hands the commands on in chunks, as long as anybody takes them.
fn write(chunks: SyncSender<Chunk>, numbers: &BTreeSet<String>, service: &str) {
    let run = uuid::Uuid::new_v4().simple().to_string();
    let mut commands = (1..).zip(numbers).map(|(line, number)| command(&run, line, number, service)).peekable();
    while commands.peek().is_some() {
        let items: Result<Vec<_>, _> = commands.by_ref().take(CHUNK_ITEMS).map(|good| good.map(Item::Good)).collect();
        let chunk = match items {
            Ok(items) => Chunk { items, failed: None },
            Err(invalid) => Chunk { items: Vec::new(), failed: Some(io::Error::other(invalid)) },
        };
        if chunks.send(chunk).is_err() {
            return;
        }
    }
}

fn command(run: &str, line: u64, number: &str, service: &str) -> Result<Good, Invalid> {
    let json = serde_json::json!({
        "command_id": format!("republish-{run}-{line}"),
        "business_number": number,
        "republish": { "service": service },
    });
    let CommandLine { command, value } = command_from_json(&json.to_string())?;
    Ok(Good { line, id: command.id.as_str().into(), key: number.into(), value })
}

/// The numbers that a service is connected to: as its own view says; if there is none here, as its topic says; if that
/// is empty or gone, all that it ever asked for (one that it left since is rejected, and nothing happens).
fn numbers(backend: &dyn Backend, service: &str, config: &Config, stop: &Stop) -> anyhow::Result<BTreeSet<String>> {
    let known = match ViewClient::open(&config.layout(), service) {
        Ok(mut view) => in_view(&mut view)?,
        Err(error) => {
            tracing::info!(error = format!("{error:#}"), "no view here, so the topic is read");
            in_topic(backend, service, stop)?
        }
    };
    if known.is_empty() { Ok(in_log(backend, service, stop)?) } else { Ok(known) }
}

fn in_view(view: &mut ViewClient) -> anyhow::Result<BTreeSet<String>> {
    let mut numbers = BTreeSet::new();
    let mut after = None;
    loop {
        let query = Query::Rows { prefix: CHANNELS.into(), after, max_bytes: PAGE_BYTES };
        let Answer::Rows(found) = view.ask(&query)? else { anyhow::bail!("the view answered something else") };
        numbers.extend(found.rows.iter().filter(|(_, value)| is_subscribed(value)).filter_map(|(key, _)| number(key)));
        after = found.rows.into_iter().next_back().map(|(key, _)| key);
        if !found.more || after.is_none() {
            return Ok(numbers);
        }
    }
}

fn in_topic(backend: &dyn Backend, service: &str, stop: &Stop) -> Result<BTreeSet<String>, LogError> {
    let topic = backend.topics().view(service);
    if backend.partitions(&topic)?.is_none() {
        return Ok(BTreeSet::new());
    }
    let mut subscribed = std::collections::BTreeMap::new();
    each_record(backend, &topic, stop, &mut |record| {
        if let (Some(key), Some(value)) = (record.key, record.value)
            && key.starts_with(CHANNELS.as_bytes())
        {
            subscribed.insert(key.to_vec(), is_subscribed(value));
        }
    })?;
    Ok(subscribed.iter().filter(|(_, subscribed)| **subscribed).filter_map(|(key, _)| number(key)).collect())
}

fn in_log(backend: &dyn Backend, service: &str, stop: &Stop) -> Result<BTreeSet<String>, LogError> {
    let topic = Arc::clone(&backend.topics().commands);
    let partitions = backend.partitions(&topic)?.unwrap_or_default();
    let mut numbers = BTreeSet::new();
    each_record(backend, &topic, stop, &mut |record| {
        let placed = Placed { partition: record.partition, partitions };
        if let Ok(command) = decode_command(record.key, record.value, placed)
            && let Action::Subscribe(subscribe) = &command.action
            && subscribe.service.as_str() == service
        {
            numbers.insert(command.number.as_str().to_owned());
        }
    })?;
    Ok(numbers)
}

/// Reads a topic from its begin to its end as it is now, unless it is over before.
fn each_record(
    backend: &dyn Backend,
    topic: &str,
    stop: &Stop,
    visit: &mut dyn FnMut(partyline_log::Record<'_>),
) -> Result<(), LogError> {
    let bounds = backend.bounds(topic)?;
    let from: Vec<_> = bounds.iter().map(|bounds| (bounds.partition, bounds.begin)).collect();
    let mut reader = backend.reader(topic, &from)?;
    let mut records = Records::default();
    while !stop.is_set() && bounds.iter().any(|bounds| reader.position(bounds.partition) < bounds.end) {
        reader.next(&mut records, Duration::from_millis(100))?;
        records.iter().for_each(&mut *visit);
    }
    Ok(())
}

/// The number of a channel row's key: `channel/<number>` or `channel/<number>~<service>`.
fn number(key: &[u8]) -> Option<String> {
    let channel = std::str::from_utf8(key).ok()?.strip_prefix(CHANNELS)?;
    let number = channel.split('~').next()?;
    BusinessNumber::new(number).ok().map(|number| number.as_str().to_owned())
}

fn is_subscribed(value: &[u8]) -> bool {
    row_to_json(value).is_some_and(|row| row["channel"]["subscribed"] == true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_keys() {
        assert_eq!(number(b"channel/+4930111222").as_deref(), Some("+4930111222"));
        assert_eq!(number(b"channel/+4930111222~desk").as_deref(), Some("+4930111222"));
        assert_eq!(number(b"channel/x"), None);
        assert_eq!(number(b"entry/+4930111222/c/1"), None);
    }

    #[test]
    fn its_commands_are_valid() {
        let good = command("0123456789abcdef0123456789abcdef", 1, "+4930111222", "desk").unwrap();
        assert_eq!(&*good.key, "+4930111222");
        assert!(good.id.starts_with("republish-"));
    }
}
