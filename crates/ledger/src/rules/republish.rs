//! An operator's wish: a service gets everything of the number again, as if it had just joined.

use crate::{
    Memory, Reason, Retelling, Service, ServiceSet,
    apply::{Step, Stop, Verdict},
    rules::subscribe::publish_channel,
};

pub(crate) fn republish<M: Memory>(step: &mut Step<'_, M>, service: &Service) -> Result<Verdict, M::Error> {
    if let Err(stop) = step.first_time(false) {
        return Ok(Err(stop));
    }
    let Some((ix, channel)) = step.number.channel_of(service) else {
        return Ok(Err(Stop::Rejected(Reason::NotSubscribed)));
    };
    publish_channel(step, channel, ServiceSet::from(ix));
    let mut retelling = Retelling::default();
    retelling.conversations(channel, ix, step.number);
    retelling.entries(channel, ix.into(), None, step.number);
    step.retelling = Some(retelling);
    Ok(Ok(()))
}
