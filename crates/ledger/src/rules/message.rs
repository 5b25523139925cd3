//! A customer's message goes to every channel that has a subscriber.

use crate::{
    Channel, Entry, IdKind, Memory, Message, Reason, Writer,
    apply::{Step, Stop, Verdict},
};

pub(crate) fn message<M: Memory>(step: &mut Step<'_, M>, message: &Message) -> Result<Verdict, M::Error> {
    let mut channels = 0_usize;
    let mut taken = 0_usize;
    for channel in step.number.live_channels() {
        channels += 1;
        taken += usize::from(deliver(step, channel, message)?);
    }
    Ok(match (channels, taken) {
        (0, _) => Err(Stop::Rejected(Reason::Disconnected)),
        (_, 0) => Err(Stop::Duplicate),
        _ => Ok(()),
    })
}

/// Each conversation decides by itself whether the message is new to it.
fn deliver<M: Memory>(step: &mut Step<'_, M>, channel: Channel, message: &Message) -> Result<bool, M::Error> {
    let id = channel.id(step.name, step.number);
    let known_as = step.known_as;
    let mut conversation = step.conversation(&id, &message.customer)?;
    if conversation.messages.may_contain(known_as) {
        if step.is_known(&id, &message.customer, IdKind::Message)? {
            return Ok(false);
        }
        conversation = step.conversation(&id, &message.customer)?;
    }
    conversation.messages.remember(known_as);
    let opens = conversation.open();
    let seq = conversation.append(Writer::Customer);
    if opens {
        step.opened(channel, &id, &message.customer)?;
    }
    let entry = Entry {
        customer: message.customer.clone(),
        seq,
        author: None,
        content: message.content.clone(),
        message_id: message.message_id.clone(),
        in_reply_to: message.in_reply_to.clone(),
        sent_at_ms: message.sent_at_ms,
        offset: step.at.offset,
        at_ms: step.at.time_ms,
    };
    step.append(channel, &id, &entry)?;
    Ok(true)
}
