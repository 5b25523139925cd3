//! What is said and who has it in hand: `message`, `reply`, `pickup`.

use super::Decision::{self, Accepted, Duplicate, Rejected};
use super::rows::{self, Step};
use super::state::{Author, Conversation, Entry, Number, Pickup};
use super::validate::without_defaults;

const DEFAULT_HOLD_S: i64 = 1_800;

pub fn message(number: &mut Number, step: &mut Step<'_>) -> Decision {
    let customer = step.string("customer").to_owned();
    let id = step.string_or("message_id", step.command_id()).to_owned();
    let channels = number.connected_channels();
    if channels.is_empty() {
        return Rejected("DISCONNECTED");
    }
    let mut decision = Duplicate;
    for channel in channels {
        let key = (channel.clone(), customer.clone());
        if number.conversations.get(&key).is_some_and(|conversation| conversation.messages.contains(&id)) {
            continue;
        }
        open(number, step, &channel, &customer);
        append(number, step, &channel, &customer, None);
        conversation(number, &channel, &customer).messages.remember(id.clone());
        decision = Accepted;
    }
    decision
}

pub fn reply(number: &mut Number, step: &mut Step<'_>) -> Decision {
    let service = step.string("service").to_owned();
    let agent = step.string("agent").to_owned();
    let customer = step.string("customer").to_owned();
    let origin = step.string_or("origin", "AGENT").to_owned();
    let Some(channel) = number.channel_of(&service) else {
        return Rejected("NOT_SUBSCRIBED");
    };
    let by_agent = origin == "AGENT";
    if !by_agent && number.subscribers(&channel).first() != Some(&service) {
        return Rejected("NOT_PARENT");
    }
    let before = number.conversations.get(&(channel.clone(), customer.clone()));
    let live = before.and_then(|conversation| conversation.live_pickup(step.at_ms));
    if live.is_some() && (origin == "BOT" || origin == "AUTO_REPLY") {
        return Rejected("PICKED_UP");
    }
    let unseen = before.map_or(0, |conversation| newest_not_by(conversation, &service, &agent));

    open(number, step, &channel, &customer);
    let author = Author { service: service.clone(), agent: agent.clone(), origin };
    append(number, step, &channel, &customer, Some(author));
    if !by_agent {
        return Accepted;
    }
    let seq = conversation(number, &channel, &customer).entries.len() as i64;
    if let Some(holder) = live.as_ref().filter(|holder| !holder.is_by(&service, &agent)) {
        rows::warning(number, step, &channel, &customer, "REPLY_OVER_PICKUP", Some(holder), seq, 0);
    }
    let seen = step.integer("seen_seq");
    if seen > 0 && seen < unseen {
        rows::warning(number, step, &channel, &customer, "UNSEEN_ENTRIES", None, seq, unseen);
    }
    match live {
        None => hold(number, step, &channel, &customer, step.at_ms, DEFAULT_HOLD_S),
        Some(own) if own.is_by(&service, &agent) => {
            let left_ms = own.until_ms - step.at_ms;
            if left_ms * 2 < own.hold_for_s * 1_000 {
                hold(number, step, &channel, &customer, own.since_ms, own.hold_for_s);
            }
        }
        Some(_) => {}
    }
    Accepted
}

pub fn pickup(number: &mut Number, step: &mut Step<'_>) -> Decision {
    let service = step.string("service").to_owned();
    let agent = step.string("agent").to_owned();
    let customer = step.string("customer").to_owned();
    let Some(channel) = number.channel_of(&service) else {
        return Rejected("NOT_SUBSCRIBED");
    };
    let before = number.conversations.get(&(channel.clone(), customer.clone()));
    let live = before.and_then(|conversation| conversation.live_pickup(step.at_ms));
    let own = live.as_ref().filter(|holder| holder.is_by(&service, &agent));

    if step.flag("release") {
        if own.is_none() {
            return Rejected("NOT_HOLDER");
        }
        conversation(number, &channel, &customer).pickup = None;
        rows::conversation_to_all(number, step, &channel, &customer);
        return Accepted;
    }

    open(number, step, &channel, &customer);
    let hold_for_s = match step.integer("hold_for_s") {
        0 => DEFAULT_HOLD_S,
        seconds => seconds,
    };
    match (&live, own) {
        (None, _) => hold(number, step, &channel, &customer, step.at_ms, hold_for_s),
        (Some(_), Some(own)) => hold(number, step, &channel, &customer, own.since_ms, hold_for_s),
        (Some(other), None) if step.flag("take_over") => {
            rows::warning(number, step, &channel, &customer, "TAKEN_OVER", Some(other), 0, 0);
            hold(number, step, &channel, &customer, step.at_ms, hold_for_s);
        }
        (Some(other), None) => {
            rows::warning(number, step, &channel, &customer, "ALREADY_PICKED_UP", Some(other), 0, 0);
        }
    }
    Accepted
}

/// The conversation, made if it is not there.
fn conversation<'a>(number: &'a mut Number, channel: &str, customer: &str) -> &'a mut Conversation {
    number.conversations.entry((channel.to_owned(), customer.to_owned())).or_default()
}

fn open(number: &mut Number, step: &mut Step<'_>, channel: &str, customer: &str) {
    if !number.conversations.contains_key(&(channel.to_owned(), customer.to_owned())) {
        conversation(number, channel, customer);
        rows::conversation_to_all(number, step, channel, customer);
    }
}

fn append(number: &mut Number, step: &mut Step<'_>, channel: &str, customer: &str, author: Option<Author>) {
    let entry = Entry {
        author,
        content: without_defaults(&step.action["content"]),
        message_id: step.string("message_id").to_owned(),
        in_reply_to: step.string("in_reply_to").to_owned(),
        sent_at_ms: step.integer("sent_at_ms"),
        command_id: step.command_id().to_owned(),
        partition: step.partition,
        offset: step.offset,
        at_ms: step.at_ms,
    };
    let entries = &mut conversation(number, channel, customer).entries;
    entries.push(entry);
    let last = entries.len() - 1;
    for viewer in number.subscribers(channel) {
        rows::entry(number, step, channel, customer, last, &viewer);
    }
}

/// Gives the conversation to the command's agent until `hold_for_s` from now.
fn hold(number: &mut Number, step: &mut Step<'_>, channel: &str, customer: &str, since_ms: i64, hold_for_s: i64) {
    conversation(number, channel, customer).pickup = Some(Pickup {
        service: step.string("service").to_owned(),
        agent: step.string("agent").to_owned(),
        since_ms,
        until_ms: step.at_ms + hold_for_s * 1_000,
        hold_for_s,
    });
    rows::conversation_to_all(number, step, channel, customer);
}

/// `seq` of the newest entry that this agent of this service did not write, or 0. An automation's entry is nobody's.
fn newest_not_by(conversation: &Conversation, service: &str, agent: &str) -> i64 {
    let wrote = |author: &Author| author.service == service && author.agent == agent;
    let newest = conversation.entries.iter().rposition(|entry| !entry.author.as_ref().is_some_and(wrote));
    newest.map_or(0, |place| place as i64 + 1)
}
