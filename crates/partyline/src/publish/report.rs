//! What people and programs are told: receipts and outcomes on stdout, bad lines and the summary on stderr.

use std::{
    io::{self, BufWriter, Stderr, Stdout, Write as _},
    time::Instant,
};

use partyline_wire::Verdict;

use super::outcomes::Placed;

/// How it went, and where that is told. Both ends are buffered: a million lines are no reason to be slow.
pub(super) struct Report {
    out: BufWriter<Stdout>,
    err: BufWriter<Stderr>,
    json: bool,
    began: Instant,
    pub tally: Tally,
}

/// How many.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub published: u64,
    pub bad: u64,
    pub failed: u64,
    pub accepted: u64,
    pub duplicates: u64,
    pub rejected: u64,
    pub invalid: u64,
}

impl Report {
    pub fn new(json: bool) -> Self {
        let (out, err) =
            (BufWriter::with_capacity(64 << 10, io::stdout()), BufWriter::with_capacity(64 << 10, io::stderr()));
        Self { out, err, json, began: Instant::now(), tally: Tally::default() }
    }

    /// A line that is no command.
    pub fn bad(&mut self, line: u64, problem: &str) {
        self.tally.bad += 1;
        let _ = writeln!(self.err, "line {line}: {problem}");
    }

    /// A command that the log did not take.
    pub fn failed(&mut self, line: u64, id: &str, reason: &str) {
        self.tally.failed += 1;
        let _ = writeln!(self.err, "line {line}: {id} was not published: {reason}");
    }

    /// A command that the log took. Ids need no escape.
    pub fn receipt(&mut self, placed: &Placed) -> io::Result<()> {
        let Placed { line, id, partition, offset } = placed;
        if !self.json {
            return Ok(());
        }
        writeln!(self.out, r#"{{"line":{line},"command_id":"{id}","partition":{partition},"offset":{offset}}}"#)
    }

    /// A command and what became of it.
    pub fn outcome(&mut self, placed: &Placed, verdict: Option<&Verdict>) -> io::Result<()> {
        let (count, outcome, reason) = match verdict {
            None => (&mut self.tally.accepted, "ACCEPTED", ""),
            Some(Verdict::Duplicate) => (&mut self.tally.duplicates, "DUPLICATE", ""),
            Some(Verdict::Rejected(reason)) => (&mut self.tally.rejected, "REJECTED", reason.as_str()),
            Some(Verdict::Invalid(detail)) => (&mut self.tally.invalid, "INVALID", detail.as_str()),
        };
        *count += 1;
        let Placed { line, id, partition, offset } = placed;
        if !self.json {
            return writeln!(self.out, "{}", format!("line {line}: {id} {outcome} {reason}").trim_end());
        }
        let receipt = format!(r#""line":{line},"command_id":"{id}","partition":{partition},"offset":{offset}"#);
        if reason.is_empty() {
            writeln!(self.out, r#"{{{receipt},"outcome":"{outcome}"}}"#)
        } else {
            let reason = serde_json::to_string(reason)?;
            writeln!(self.out, r#"{{{receipt},"outcome":"{outcome}","reason":{reason}}}"#)
        }
    }

    /// Lets everything so far be seen.
    pub fn flush(&mut self) -> io::Result<()> {
        let _ = self.err.flush();
        self.out.flush()
    }

    /// The last line.
    pub fn summary(&mut self, waited: bool) -> io::Result<()> {
        let Tally { published, bad, failed, accepted, duplicates, rejected, invalid } = self.tally;
        let seconds = self.began.elapsed().as_secs_f64();
        let rate = (published + bad + failed) as f64 / seconds.max(1e-3);
        let _ = write!(self.err, "{published} published, {bad} bad lines");
        if failed > 0 {
            let _ = write!(self.err, ", {failed} not taken by the log");
        }
        if waited {
            let _ = write!(
                self.err,
                "; {accepted} accepted, {rejected} rejected, {duplicates} duplicates, {invalid} invalid"
            );
        }
        let _ = writeln!(self.err, "; {seconds:.3} s, {rate:.0} lines/s");
        self.flush()
    }
}
