//! How the process ends: four exit codes, and what a failure means for them.

use std::{
    io::{self, ErrorKind, Write as _},
    process::ExitCode,
};

use partyline_log::LogError;
use partyline_projector::WorkError;
use partyline_store::StoreError;

/// How a verb that ran to its end left things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done.
    Done,
    /// It was done, but something was rejected or differs.
    Differs,
}

/// Wrong usage or configuration: nothing was opened.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

impl Exit {
    /// [`Exit::Differs`] if something does.
    pub fn differs_if(differs: bool) -> Self {
        if differs { Self::Differs } else { Self::Done }
    }
}

/// The exit code of a verb; says on stderr why it failed.
pub fn code(result: anyhow::Result<Exit>) -> ExitCode {
    match result {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Differs) => ExitCode::from(1),
        // Who reads our output has seen enough (`| head`).
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if error.is::<Usage>() => {
            say(format_args!("partyline: {error:#}"));
            ExitCode::from(2)
        }
        Err(error) => {
            match reason(&error) {
                Some(reason) => say(format_args!("partyline: {reason}: {error:#}")),
                None => say(format_args!("partyline: {error:#}")),
            }
            ExitCode::from(3)
        }
    }
}

/// The name of the reason why the log or a store could not be used; nothing where the text begins with one.
fn reason(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(WorkError::Log(error)) => Some(name_of_log(error)),
        Some(WorkError::Store(error)) => Some(name_of_store(error)),
        Some(_) => None,
        None => cause.downcast_ref().map(name_of_log).or_else(|| cause.downcast_ref().map(name_of_store)),
    })
}

fn name_of_log(error: &LogError) -> &'static str {
    match error {
        LogError::Unreachable(_) => "LOG_UNREACHABLE",
        LogError::Transaction(_) => "NOT_COMMITTED",
        LogError::Fenced(_) | LogError::InUse(_) => "IN_USE",
        LogError::NoTopic(_) => "NO_TOPIC",
        LogError::OutOfRange(_) => "OUT_OF_RANGE",
        LogError::Refused(_) => "REFUSED",
        LogError::Embedded { .. } => "LOG_UNUSABLE",
    }
}

fn name_of_store(error: &StoreError) -> &'static str {
    match error {
        StoreError::InUse { .. } => "IN_USE",
        StoreError::Generation { .. } => "OTHER_GENERATION",
        _ => "STORE_UNUSABLE",
    }
}

/// Writes a line to stderr; that nobody reads it is no reason to stop.
pub fn say(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(broken)
            || cause
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|error| error.io_error_kind() == Some(ErrorKind::BrokenPipe))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        let as_text = |result| format!("{:?}", code(result));
        let expected = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(as_text(Ok(Exit::Done)), expected(0));
        assert_eq!(as_text(Ok(Exit::differs_if(true))), expected(1));
        assert_eq!(as_text(Err(Usage("wrong".to_owned()).into())), expected(2));
        assert_eq!(as_text(Err(anyhow::anyhow!("the log is gone"))), expected(3));
        let named = |error: anyhow::Error| reason(&error.context("opening"));
        assert_eq!(named(anyhow::anyhow!("NO_VIEW: none")), None);
        assert_eq!(named(LogError::NoTopic("t".to_owned()).into()), Some("NO_TOPIC"));
        assert_eq!(named(WorkError::from(LogError::Refused("no".to_owned())).into()), Some("REFUSED"));
        let in_use = StoreError::InUse { dir: "/d".into() };
        assert_eq!(named(WorkError::from(in_use).into()), Some("IN_USE"));
        let pipe = io::Error::from(ErrorKind::BrokenPipe);
        assert_eq!(as_text(Err(anyhow::Error::from(pipe).context("writing rows"))), expected(0));
    }
}
