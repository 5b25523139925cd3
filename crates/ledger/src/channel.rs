//! Channels: the shared one of a number, and the isolated ones of single services.

use std::{fmt, sync::Arc};

use crate::{BusinessNumber, Number, ServiceIx};

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
pub struct ChannelId(Arc<str>);

impl Channel {
    /// Its id.
    pub fn id(self, name: &BusinessNumber, number: &Number) -> ChannelId {
        match self {
            Self::Shared => ChannelId(name.shared_text()),
            Self::Isolated(ix) => {
                let service = number.member(ix).map_or("", |member| member.service.as_str());
                ChannelId(Arc::from(format!("{name}~{service}")))
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
        &self.0
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}
