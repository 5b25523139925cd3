//! A service connects to the number: to the shared channel, or to an isolated one of its own.

use crate::{
    Channel, ChannelRow, Licence, MAX_SERVICES, Member, Membership, Memory, Place, Reason, Retelling, Row, ServiceIx,
    ServiceSet, Subscribe, Visibility,
    apply::{Step, Stop, Verdict},
    rules::unsubscribe::leave,
};

/// The product whose services always show the others' replies masked.
const DESK: &str = "desk";

/// Products that are restricted whatever their licence.
const RESTRICTED: [&str; 8] =
    ["books", "inventory", "invoice", "subscriptions", "expense", "commerce", "checkout", "payroll"];

pub(crate) fn subscribe<M: Memory>(step: &mut Step<'_, M>, wish: &Subscribe) -> Result<Verdict, M::Error> {
    if let Err(stop) = step.first_time(true) {
        return Ok(Err(stop));
    }
    let product = wish.product.as_ref().unwrap_or(&wish.service).as_str();
    let place =
        if wish.licence != Licence::Bundle || RESTRICTED.contains(&product) { Place::Isolated } else { Place::Shared };
    let settings = Settings {
        display_others: if product == DESK { Visibility::Masked } else { wish.display_others },
        share_own: wish.share_own,
    };
    let Some((ix, before)) = member(step, wish, settings) else {
        return Ok(Err(Stop::Rejected(Reason::TooManyServices)));
    };
    settle(step, ix, place, settings, before);
    Ok(Ok(()))
}

/// The two display settings of a service. They belong to (number, service).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Settings {
    display_others: Visibility,
    share_own: Visibility,
}

/// Finds or adds the member, gives it its new settings, and returns those it had before.
fn member<M: Memory>(step: &mut Step<'_, M>, wish: &Subscribe, now: Settings) -> Option<(ServiceIx, Settings)> {
    let found = step.number.find(&wish.service).map(|(ix, _)| ix);
    if let Some(ix) = found {
        let member = step.number.members.get_mut(usize::from(ix.0))?;
        let before = Settings { display_others: member.display_others, share_own: member.share_own };
        (member.display_others, member.share_own) = (now.display_others, now.share_own);
        return Some((ix, before));
    }
    if step.number.members.len() >= MAX_SERVICES {
        return None;
    }
    let ix = ServiceIx(u8::try_from(step.number.members.len()).ok()?);
    step.number.members.push(Member {
        service: wish.service.clone(),
        display_others: now.display_others,
        share_own: now.share_own,
        place: Place::Nowhere,
        isolated: crate::number::Lengths::default(),
    });
    Some((ix, now))
}

/// Brings the service to its place, and tells everyone what that changes for them.
fn settle<M: Memory>(step: &mut Step<'_, M>, ix: ServiceIx, place: Place, now: Settings, before: Settings) {
    let channel = if place == Place::Isolated { Channel::Isolated(ix) } else { Channel::Shared };
    let mut retelling = Retelling::default();
    let was = step.number.member(ix).map_or(Place::Nowhere, |member| member.place);
    if was == place {
        if now != before {
            publish_channel(step, channel, ServiceSet::from(ix));
        }
        if now.display_others != before.display_others {
            retelling.entries(channel, ix.into(), None, step.number);
        }
    } else {
        match was {
            Place::Nowhere => {}
            Place::Shared => leave(step, ix, Channel::Shared, &mut retelling),
            Place::Isolated => leave(step, ix, Channel::Isolated(ix), &mut retelling),
        }
        step.number.set_place(ix, place);
        if place == Place::Shared {
            step.number.subscribers.push(ix);
        }
        publish_channel(step, channel, step.number.audience(channel));
        retelling.conversations(channel, ix, step.number);
        retelling.entries(channel, ix.into(), None, step.number);
    }
    if now.share_own != before.share_own {
        let others = step.number.audience(Channel::Shared).without(ix);
        retelling.entries(Channel::Shared, others, Some(ix), step.number);
    }
    step.retelling = Some(retelling);
}

/// The channel, to each of these subscribers with its own settings.
pub(super) fn publish_channel<M: Memory>(step: &mut Step<'_, M>, channel: Channel, to: ServiceSet) {
    let id = channel.id(step.name, step.number);
    let name = |ix: ServiceIx| step.number.member(ix).map(|member| member.service.clone());
    let parent = step.number.parent(channel).and_then(name);
    let subscribers: Vec<_> = step.number.subscribers(channel).into_iter().filter_map(name).collect();
    for ix in to.iter() {
        let Some(member) = step.number.member(ix) else { continue };
        let membership = Some(Membership {
            parent: parent.clone(),
            subscribers: subscribers.clone(),
            display_others: member.display_others,
            share_own: member.share_own,
        });
        let row = ChannelRow { channel: id.clone(), isolated: channel.is_isolated(), membership };
        step.publish(ix, Row::Channel(row));
    }
}

/// The channel, to a service that left it.
pub(super) fn publish_left<M: Memory>(step: &mut Step<'_, M>, channel: Channel, ix: ServiceIx) {
    let id = channel.id(step.name, step.number);
    step.publish(ix, Row::Channel(ChannelRow { channel: id, isolated: channel.is_isolated(), membership: None }));
}
