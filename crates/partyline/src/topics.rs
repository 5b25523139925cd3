//! `partyline topics`: making them, and saying what is missing or set wrongly.

use std::io::{self, Write as _};

use partyline_ledger::Service;
use partyline_log::{Backend, LogError, TopicKind, TopicProblem};

use crate::{
    cli::TopicsCreateArgs,
    config::Config,
    exit::{Exit, say},
};

/// A topic that was made, or was there.
pub struct Made {
    topic: String,
    is_new: bool,
}

/// Makes the log's topics and those of these services, where they are missing. A log that exists keeps its partitions.
///
/// # Errors
/// If the log cannot be reached, or a topic cannot be made.
pub fn make(backend: &dyn Backend, services: &[Service], partitions: u32) -> Result<Vec<Made>, LogError> {
    let topics = backend.topics();
    let partitions = backend.partitions(&topics.commands)?.unwrap_or(partitions);
    let mut wanted = vec![
        (topics.commands.to_string(), TopicKind::Commands),
        (topics.outcomes.to_string(), TopicKind::Outcomes),
        (topics.dead_letters.to_string(), TopicKind::DeadLetters),
    ];
    wanted.extend(services.iter().map(|service| (topics.view(service.as_str()).to_string(), TopicKind::View)));
    let make = |(topic, kind): (String, TopicKind)| {
        let is_new = backend.partitions(&topic)?.is_none() && backend.create(&topic, kind, partitions)?;
        Ok(Made { topic, is_new })
    };
    wanted.into_iter().map(make).collect()
}

/// `partyline topics create`
///
/// # Errors
/// If the log cannot be reached, or a topic cannot be made.
pub fn create(args: &TopicsCreateArgs, config: &Config) -> anyhow::Result<Exit> {
    let partitions = args.partitions.unwrap_or(config.partitions);
    let log = Config { partitions, ..config.clone() }.connect()?;
    let made = make(&*log.backend, &services(&args.services, config), partitions)?;
    let mut out = io::stdout().lock();
    for Made { topic, is_new } in &made {
        if config.json {
            writeln!(out, "{}", serde_json::json!({ "topic": topic, "created": is_new }))?;
        } else {
            writeln!(out, "{topic}: {}", if *is_new { "created" } else { "exists" })?;
        }
    }
    let has = log.backend.partitions(&log.backend.topics().commands)?.unwrap_or_default();
    let other = args.partitions.filter(|asked| *asked != has);
    if let Some(asked) = other {
        say(format_args!("partyline: the log has {has} partitions, not {asked}: their number is fixed for its life"));
    }
    Ok(Exit::differs_if(other.is_some()))
}

/// `partyline topics check`
///
/// # Errors
/// If the log cannot be reached.
pub fn check(config: &Config) -> anyhow::Result<Exit> {
    let log = config.connect_existing()?;
    let backend = &*log.backend;
    let topics = backend.topics();
    let partitions = backend.partitions(&topics.commands)?.unwrap_or(config.partitions);
    let mut names = backend.list()?;
    names.extend([&topics.commands, &topics.outcomes, &topics.dead_letters].map(|topic| topic.to_string()));
    names.extend(services(&[], config).iter().map(|service| topics.view(service.as_str()).to_string()));
    names.sort();
    names.dedup();
    let mut out = io::stdout().lock();
    let mut is_wrong = false;
    for topic in names {
        let Some(kind) = topics.kind(&topic) else { continue };
        let problems = backend.check(&topic, kind, partitions)?;
        is_wrong |= !problems.is_empty();
        let problems: Vec<_> = problems.iter().map(TopicProblem::to_string).collect();
        match (config.json, problems.is_empty()) {
            (true, _) => writeln!(out, "{}", serde_json::json!({ "topic": topic, "problems": problems }))?,
            (false, true) => writeln!(out, "{topic}: good")?,
            (false, false) => writeln!(out, "{topic}: {}", problems.join("; "))?,
        }
    }
    Ok(Exit::differs_if(is_wrong))
}

/// Those that were asked for, otherwise those that are configured.
fn services(asked: &[Service], config: &Config) -> Vec<Service> {
    if !asked.is_empty() {
        return asked.to_vec();
    }
    config.work.services.iter().flatten().filter_map(|name| Service::new(name).ok()).collect()
}
