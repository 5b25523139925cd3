//! What a store is a copy of.

use crate::fields::{Reader, Writer};

/// What a store was made from; written into it, and compared whenever it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose it is: `project`, or `view:` and the service.
    pub role: String,
    /// The log's own id, which no other log has.
    pub log_id: String,
    /// The topic it was read from.
    pub topic: String,
    /// The generation of the rules that made it. A store of another one is refused, not moved aside.
    pub generation: String,
    /// The version of the caller's records. A store of another one is moved aside.
    pub format: u32,
}

impl Identity {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Writer::default()
            .bytes(self.role.as_bytes())
            .bytes(self.log_id.as_bytes())
            .bytes(self.topic.as_bytes())
            .bytes(self.generation.as_bytes())
            .number(u64::from(self.format))
            .seal()
    }

    pub(crate) fn decode(sealed: &[u8]) -> Option<Self> {
        let mut fields = Reader::open(sealed)?;
        Some(Self {
            role: fields.text()?,
            log_id: fields.text()?,
            topic: fields.text()?,
            generation: fields.text()?,
            format: u32::try_from(fields.number()?).ok()?,
        })
    }

    /// The first thing in which `self`, found on disk, differs from what is wanted.
    pub(crate) fn difference(&self, wanted: &Self) -> Option<String> {
        [
            ("role", self.role.clone(), wanted.role.clone()),
            ("log", self.log_id.clone(), wanted.log_id.clone()),
            ("topic", self.topic.clone(), wanted.topic.clone()),
            ("format", self.format.to_string(), wanted.format.to_string()),
        ]
        .into_iter()
        .find(|(_, found, wanted)| found != wanted)
        .map(|(what, found, wanted)| format!("its {what} is {found}, not {wanted}"))
    }
}
