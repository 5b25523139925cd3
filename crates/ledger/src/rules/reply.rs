//! A service answers.

use std::sync::Arc;

use crate::{
    Agent, Channel, ChannelId, Entry, EntryAuthor, Held, IdKind, Memory, Origin, Reason, Reply, ServiceIx, WarningKind,
    Writer,
    apply::{Step, Stop, Verdict},
    rules::warning::Warning,
};

/// Who answers has the conversation in hand, for this long.
const HOLD_BY_REPLY_S: u32 = 1_800;

pub(crate) fn reply<M: Memory>(step: &mut Step<'_, M>, reply: &Reply) -> Result<Verdict, M::Error> {
    let Some((service, channel)) = step.number.channel_of(&reply.service) else {
        return Ok(Err(Stop::Rejected(Reason::NotSubscribed)));
    };
    let id = channel.id(step.name, step.number);
    let is_parent = step.number.parent(channel) == Some(service);
    let (known_as, now_ms) = (step.known_as, step.at.time_ms);

    let mut conversation = step.conversation(&id, &reply.customer)?;
    if conversation.others.may_contain(known_as) {
        if step.is_known(&id, &reply.customer, IdKind::Other)? {
            return Ok(Err(Stop::Duplicate));
        }
        conversation = step.conversation(&id, &reply.customer)?;
    }
    let live = conversation.live(now_ms).cloned();
    let refused = match &reply.origin {
        origin if origin.is_automation() && !is_parent => Some(Reason::NotParent),
        origin if origin.yields_to_pickup() && live.is_some() => Some(Reason::PickedUp),
        _ => None,
    };
    if refused.is_none() || conversation.opened {
        conversation.others.remember(known_as);
    }
    if let Some(reason) = refused {
        return Ok(Err(Stop::Rejected(reason)));
    }
    let writer = Writer::Service(service, reply.origin.agent().cloned());
    let latest_seq = conversation.newest_not_by(&writer);
    let opens = conversation.open();
    let seq = conversation.append(writer);
    if opens {
        step.opened(channel, &id, &reply.customer)?;
    }
    accept(step, reply, Place { service, channel, id: &id, seq, latest_seq }, live)?;
    Ok(Ok(()))
}

/// Where an accepted reply goes.
struct Place<'a> {
    service: ServiceIx,
    channel: Channel,
    id: &'a ChannelId,
    /// Its own number.
    seq: u64,
    /// The newest entry's before it that its agent did not write.
    latest_seq: u64,
}

/// Entry, warnings, pickup: in this order.
fn accept<M: Memory>(step: &mut Step<'_, M>, reply: &Reply, at: Place<'_>, live: Option<Held>) -> Result<(), M::Error> {
    let Place { seq, latest_seq, .. } = at;
    let entry = Entry {
        customer: reply.customer.clone(),
        seq,
        author: Some(EntryAuthor { service: at.service, origin: reply.origin.clone(), command_id: step.id.clone() }),
        content: reply.content.clone(),
        message_id: Arc::default(),
        in_reply_to: reply.in_reply_to.clone(),
        sent_at_ms: 0,
        offset: step.at.offset,
        at_ms: step.at.time_ms,
    };
    step.append(at.channel, at.id, &entry)?;
    let Origin::Agent(agent) = &reply.origin else { return Ok(()) };

    let by = (at.service, agent);
    if let Some(held) = live.as_ref().filter(|held| !held.is_by(at.service, agent)) {
        let kind = WarningKind::ReplyOverPickup;
        step.warn(at.id, &reply.customer, &Warning { kind, by, holder: Some(held), seq, latest_seq: 0 })?;
    }
    if reply.seen_seq > 0 && reply.seen_seq < latest_seq {
        let kind = WarningKind::UnseenEntries;
        step.warn(at.id, &reply.customer, &Warning { kind, by, holder: None, seq, latest_seq })?;
    }
    hold(step, reply, &at, agent, live)
}

/// Who answers a free conversation picks it up; its holder renews it when it is half over.
fn hold<M: Memory>(
    step: &mut Step<'_, M>,
    reply: &Reply,
    at: &Place<'_>,
    agent: &Agent,
    live: Option<Held>,
) -> Result<(), M::Error> {
    let now_ms = step.at.time_ms;
    let held = match live {
        None => Held::from(now_ms, at.service, agent, HOLD_BY_REPLY_S),
        Some(mut held) if held.is_by(at.service, agent) && held.is_half_over(now_ms) => {
            held.renew(now_ms, held.hold_for_s);
            held
        }
        Some(_) => return Ok(()),
    };
    step.hold(at.channel, at.id, &reply.customer, Some(held))
}
