//! Channels: the shared one of a number, and the isolated ones of single services.

use std::fmt;

use crate::{BusinessNumber, Number, ServiceIx, text::Text};

/// A channel of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// The one that has subscribers and one parent.
    Shared,
    /// The one that belongs to a single, restricted service.
    Isolated(ServiceIx),
}

/// A channel's id: `<number>`, or `<number>~<service>` for an isolated one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(Text);

impl Channel {
    /// Its id.
    pub fn id(self, name: &BusinessNumber, number: &Number) -> ChannelId {
        match self {
            Self::Shared => ChannelId(name.text().clone()),
            Self::Isolated(ix) => {
                let service = number.member(ix).map_or("", |member| member.service.as_str());
                ChannelId(Text::from(&*format!("{name}~{service}")))
            }
        }
    }

    /// Whether it belongs to one service alone.
    pub fn is_isolated(self) -> bool {
        matches!(self, Self::Isolated(_))
    }
}

impl ChannelId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}
