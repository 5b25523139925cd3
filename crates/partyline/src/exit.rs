//! How the process ends: four exit codes, and what a failure means for them.

use std::{
    io::{self, ErrorKind, Write as _},
    process::ExitCode,
};

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
        Err(error) => {
            say(format_args!("partyline: {error:#}"));
            ExitCode::from(if error.is::<Usage>() { 2 } else { 3 })
        }
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
        let pipe = io::Error::from(ErrorKind::BrokenPipe);
        assert_eq!(as_text(Err(anyhow::Error::from(pipe).context("writing rows"))), expected(0));
    }
}
