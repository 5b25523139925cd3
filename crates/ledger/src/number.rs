//! What is known of one business number: its services, who is subscribed where, and the ids seen.

use crate::{Channel, Service, ServiceSet, Visibility, Window};

/// How many different services may ever subscribe to one number.
pub const MAX_SERVICES: usize = 256;

/// A service's place in a number's list of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceIx(pub u8);

/// The state of one business number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Number {
    /// Every service that ever subscribed, in the order of their first subscription. Never shrinks.
    pub members: Vec<Member>,
    /// The shared channel's subscribers, in the order in which they joined; the first is the parent.
    pub subscribers: Vec<ServiceIx>,
    /// How long the shared channel's lists are.
    pub shared: Lengths,
    /// Ids of the commands whose scope is the number.
    pub seen: Window,
    /// How many rejections were published.
    pub rejections: u64,
}

/// A service that is or was subscribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub service: Service,
    /// How it shows the others' replies.
    pub display_others: Visibility,
    /// Whether the others may show its replies in full.
    pub share_own: Visibility,
    /// Where it is subscribed now.
    pub place: Place,
    /// How long its isolated channel's lists are.
    pub isolated: Lengths,
}

/// Where a service is subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Place {
    Nowhere,
    Shared,
    Isolated,
}

/// How many conversations and entries a channel has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lengths {
    /// Conversations opened.
    pub conversations: u64,
    /// Entries of all its conversations.
    pub entries: u64,
}

impl Number {
    /// The member at a place of the list.
    pub fn member(&self, ix: ServiceIx) -> Option<&Member> {
        self.members.get(usize::from(ix.0))
    }

    /// Finds a service that ever subscribed.
    pub fn find(&self, service: &Service) -> Option<(ServiceIx, &Member)> {
        let at = self.members.iter().position(|member| member.service == *service)?;
        Some((ServiceIx(u8::try_from(at).ok()?), self.members.get(at)?))
    }

    /// The channel that the service is subscribed to.
    pub fn channel_of(&self, service: &Service) -> Option<(ServiceIx, Channel)> {
        let (ix, member) = self.find(service)?;
        match member.place {
            Place::Nowhere => None,
            Place::Shared => Some((ix, Channel::Shared)),
            Place::Isolated => Some((ix, Channel::Isolated(ix))),
        }
    }

    /// Every channel that has a subscriber, the shared one first.
    pub fn live_channels(&self) -> impl Iterator<Item = Channel> + use<> {
        let isolated = self.members.iter().enumerate().filter(|(_, member)| member.place == Place::Isolated);
        let isolated: Vec<_> =
            isolated.filter_map(|(at, _)| u8::try_from(at).ok()).map(|at| Channel::Isolated(ServiceIx(at))).collect();
        (!self.subscribers.is_empty()).then_some(Channel::Shared).into_iter().chain(isolated)
    }

    /// The subscribers of a channel, in the order in which they joined.
    pub fn subscribers(&self, channel: Channel) -> Vec<ServiceIx> {
        match channel {
            Channel::Shared => self.subscribers.clone(),
            Channel::Isolated(_) => self.audience(channel).iter().collect(),
        }
    }

    /// The subscribers of a channel as a set.
    pub fn audience(&self, channel: Channel) -> ServiceSet {
        match channel {
            Channel::Shared => self.subscribers.iter().copied().collect(),
            Channel::Isolated(ix) => {
                let subscribed = self.member(ix).is_some_and(|member| member.place == Place::Isolated);
                subscribed.then_some(ix).into_iter().collect()
            }
        }
    }

    /// The subscriber that controls automation on a channel: the earliest that is still there.
    pub fn parent(&self, channel: Channel) -> Option<ServiceIx> {
        match channel {
            Channel::Shared => self.subscribers.first().copied(),
            Channel::Isolated(ix) => Some(ix),
        }
    }

    /// How long a channel's lists are.
    pub fn lengths(&self, channel: Channel) -> Lengths {
        match channel {
            Channel::Shared => self.shared,
            Channel::Isolated(ix) => self.member(ix).map_or_else(Lengths::default, |member| member.isolated),
        }
    }

    pub(crate) fn set_place(&mut self, ix: ServiceIx, place: Place) {
        if let Some(member) = self.members.get_mut(usize::from(ix.0)) {
            member.place = place;
        }
    }

    /// The same, to be changed; nothing for a channel of another number.
    pub(crate) fn lengths_mut(&mut self, channel: Channel) -> Option<&mut Lengths> {
        match channel {
            Channel::Shared => Some(&mut self.shared),
            Channel::Isolated(ix) => self.members.get_mut(usize::from(ix.0)).map(|member| &mut member.isolated),
        }
    }
}
