//! An agent takes a conversation in hand, or lets it go. Nobody is ever blocked.

use crate::{
    Held, IdKind, Memory, Pickup, Reason, WarningKind,
    apply::{Step, Stop, Verdict},
    rules::warning::Warning,
};

pub(crate) fn pickup<M: Memory>(step: &mut Step<'_, M>, pickup: &Pickup) -> Result<Verdict, M::Error> {
    let Some((service, channel)) = step.number.channel_of(&pickup.service) else {
        return Ok(Err(Stop::Rejected(Reason::NotSubscribed)));
    };
    let id = channel.id(step.name, step.number);
    let (known_as, now_ms) = (step.known_as, step.at.time_ms);
    let (customer, agent) = (&pickup.customer, &pickup.agent);

    let mut conversation = step.conversation(&id, customer)?;
    if conversation.others.may_contain(known_as) {
        if step.is_known(&id, customer, IdKind::Other)? {
            return Ok(Err(Stop::Duplicate));
        }
        conversation = step.conversation(&id, customer)?;
    }
    let live = conversation.live(now_ms).cloned();
    let is_own = live.as_ref().is_some_and(|held| held.is_by(service, agent));
    if !pickup.release || conversation.opened {
        conversation.others.remember(known_as);
    }
    if pickup.release {
        if !is_own {
            return Ok(Err(Stop::Rejected(Reason::NotHolder)));
        }
        step.hold(channel, &id, customer, None)?;
        return Ok(Ok(()));
    }

    if conversation.open() {
        step.opened(channel, &id, customer)?;
    }
    let mut taken = Held::from(now_ms, service, agent, pickup.hold_for_s);
    match &live {
        Some(held) if is_own => taken.since_ms = held.since_ms,
        Some(other) => {
            let kind = if pickup.take_over { WarningKind::TakenOver } else { WarningKind::AlreadyPickedUp };
            let warning = Warning { kind, by: (service, agent), holder: Some(other), seq: 0, latest_seq: 0 };
            step.warn(&id, customer, &warning)?;
            if !pickup.take_over {
                return Ok(Ok(()));
            }
        }
        None => {}
    }
    step.hold(channel, &id, customer, Some(taken))?;
    Ok(Ok(()))
}
