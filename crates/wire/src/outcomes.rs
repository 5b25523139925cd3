//! For producers: what became of a range of commands (contract: Topics, outcomes).

use partyline_ledger::Reason;
use prost::Message as _;

use crate::{encode, pb};

/// What became of the commands of one partition and transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcomes {
    /// Which partition.
    pub partition: u32,
    /// The first command of the range.
    pub first_offset: u64,
    /// The last command of the range.
    pub last_offset: u64,
    /// Those that were not accepted, in order.
    pub exceptions: Vec<Exception>,
}

/// A command that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Which.
    pub offset: u64,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a command that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its id was seen before.
    Duplicate,
    /// A rule forbids it; the reason as in the contract.
    Rejected(String),
    /// It broke a bound; which.
    Invalid(String),
}

impl Verdict {
    /// A rejection for a reason of the ledger.
    pub fn rejected(reason: Reason) -> Self {
        Self::Rejected(encode::reason(reason).as_str_name().to_owned())
    }
}

impl Outcomes {
    /// Appends the value: an encoded `partyline.v1.Outcomes`.
    pub fn encode(&self, buf: &mut Vec<u8>) {
        let exceptions = self.exceptions.iter().map(|exception| {
            let (outcome, reason, detail) = match &exception.verdict {
                Verdict::Duplicate => (pb::Outcome::Duplicate, pb::Reason::Unspecified, String::new()),
                Verdict::Rejected(reason) => {
                    (pb::Outcome::Rejected, pb::Reason::from_str_name(reason).unwrap_or_default(), String::new())
                }
                Verdict::Invalid(detail) => (pb::Outcome::Invalid, pb::Reason::Unspecified, detail.clone()),
            };
            pb::outcomes::Exception { offset: exception.offset, outcome: outcome.into(), reason: reason.into(), detail }
        });
        let message = pb::Outcomes {
            partition: self.partition,
            first_offset: self.first_offset,
            last_offset: self.last_offset,
            exceptions: exceptions.collect(),
        };
        buf.extend_from_slice(&message.encode_to_vec());
    }

    /// Reads a value of the outcomes topic; `None` if it is something else.
    pub fn decode(value: &[u8]) -> Option<Self> {
        let message = pb::Outcomes::decode(value).ok()?;
        let exceptions = message.exceptions.into_iter().map(|exception| {
            let verdict = match exception.outcome() {
                pb::Outcome::Duplicate => Verdict::Duplicate,
                pb::Outcome::Rejected => Verdict::Rejected(exception.reason().as_str_name().to_owned()),
                pb::Outcome::Invalid | pb::Outcome::Unspecified => Verdict::Invalid(exception.detail),
            };
            Exception { offset: exception.offset, verdict }
        });
        Some(Self {
            partition: message.partition,
            first_offset: message.first_offset,
            last_offset: message.last_offset,
            exceptions: exceptions.collect(),
        })
    }
}
