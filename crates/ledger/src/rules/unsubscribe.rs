//! A service leaves; the others, the conversations and the history go on.

use crate::{
    Channel, Memory, Place, Reason, Retelling, Service, ServiceIx,
    apply::{Step, Stop, Verdict},
    rules::subscribe::{publish_channel, publish_left},
};

pub(crate) fn unsubscribe<M: Memory>(step: &mut Step<'_, M>, service: &Service) -> Result<Verdict, M::Error> {
    if let Err(stop) = step.first_time(false) {
        return Ok(Err(stop));
    }
    let Some((ix, channel)) = step.number.channel_of(service) else {
        return Ok(Err(Stop::Rejected(Reason::NotSubscribed)));
    };
    let mut retelling = Retelling::default();
    leave(step, ix, channel, &mut retelling);
    step.retelling = Some(retelling);
    Ok(Ok(()))
}

/// Takes a service out of its channel. If it was the parent, the earliest that remains is parent from now on. The
/// pickups that its agents hold end.
pub(super) fn leave<M: Memory>(step: &mut Step<'_, M>, ix: ServiceIx, channel: Channel, retelling: &mut Retelling) {
    step.number.subscribers.retain(|subscriber| *subscriber != ix);
    step.number.set_place(ix, Place::Nowhere);
    publish_channel(step, channel, step.number.audience(channel));
    publish_left(step, channel, ix);
    retelling.end_pickups(channel, ix, step.number, step.at.time_ms);
}
