//! Who is connected: `subscribe`, `unsubscribe`, `republish`.

use super::Decision::{self, Accepted, Rejected};
use super::rows::{self, Step};
use super::state::{Number, Settings};

const MAX_SERVICES: usize = 256;
const RESTRICTED: [&str; 8] =
    ["books", "inventory", "invoice", "subscriptions", "expense", "commerce", "checkout", "payroll"];

pub fn subscribe(number: &mut Number, step: &mut Step<'_>) -> Decision {
    let service = step.string("service").to_owned();
    let product = step.string_or("product", &service).to_owned();
    let restricted = step.string_or("licence", "BUNDLE") != "BUNDLE" || RESTRICTED.contains(&product.as_str());
    let display_others = if product == "desk" { "MASKED" } else { step.string_or("display_others", "MASKED") };
    let settings = Settings {
        display_others: display_others.to_owned(),
        share_own: step.string_or("share_own", "FULL").to_owned(),
    };

    let before = number.ever.get(&service).cloned();
    if before.is_none() && number.ever.len() >= MAX_SERVICES {
        return Rejected("TOO_MANY_SERVICES");
    }
    let channel = if restricted { number.isolated_channel(&service) } else { number.id.clone() };
    let subscribed_to = number.channel_of(&service);
    let stays = subscribed_to.as_ref() == Some(&channel);
    if let Some(other) = subscribed_to.filter(|_| !stays) {
        leave(number, step, &service, &other);
    }
    number.ever.insert(service.clone(), settings.clone());
    if stays {
        change_settings(number, step, &service, &channel, before.as_ref(), &settings);
    } else {
        join(number, step, &service, &channel);
    }
    // The settings belong to (number, service), so this holds for a service that stayed, came back or moved.
    if before.is_some_and(|before| before.share_own != settings.share_own) {
        share_again(number, step, &service);
    }
    Accepted
}

pub fn unsubscribe(number: &mut Number, step: &mut Step<'_>) -> Decision {
    let service = step.string("service").to_owned();
    let Some(channel) = number.channel_of(&service) else {
        return Rejected("NOT_SUBSCRIBED");
    };
    leave(number, step, &service, &channel);
    Accepted
}

pub fn republish(number: &mut Number, step: &mut Step<'_>) -> Decision {
    let service = step.string("service").to_owned();
    let Some(channel) = number.channel_of(&service) else {
        return Rejected("NOT_SUBSCRIBED");
    };
    rows::channel(number, step, &channel, &service);
    history(number, step, &channel, &service);
    Accepted
}

fn join(number: &mut Number, step: &mut Step<'_>, service: &str, channel: &str) {
    if channel == number.id {
        number.shared.push(service.to_owned());
    } else {
        number.isolated.insert(service.to_owned());
    }
    for subscriber in number.subscribers(channel) {
        rows::channel(number, step, channel, &subscriber);
    }
    history(number, step, channel, service);
}

fn leave(number: &mut Number, step: &mut Step<'_>, service: &str, channel: &str) {
    number.shared.retain(|subscriber| subscriber != service);
    number.isolated.remove(service);
    rows::left(number, step, channel, service);
    for subscriber in number.subscribers(channel) {
        rows::channel(number, step, channel, &subscriber);
    }
    for customer in number.customers(channel) {
        let Some(conversation) = number.conversations.get_mut(&(channel.to_owned(), customer.clone())) else {
            continue;
        };
        if conversation.live_pickup(step.at_ms).is_some_and(|pickup| pickup.service == service) {
            conversation.pickup = None;
            rows::conversation_to_all(number, step, channel, &customer);
        }
    }
}

fn change_settings(
    number: &Number,
    step: &mut Step<'_>,
    service: &str,
    channel: &str,
    before: Option<&Settings>,
    now: &Settings,
) {
    if before == Some(now) {
        return;
    }
    rows::channel(number, step, channel, service);
    if before.is_none_or(|before| before.display_others != now.display_others) {
        for customer in number.customers(channel) {
            rows::entries(number, step, channel, &customer, service, |_| true);
        }
    }
}

/// The author's entries of the shared channel, again, to its other subscribers. (An isolated channel has no others.)
fn share_again(number: &Number, step: &mut Step<'_>, author: &str) {
    for viewer in number.shared.iter().filter(|viewer| *viewer != author) {
        for customer in number.customers(&number.id) {
            rows::entries(number, step, &number.id, &customer, viewer, |entry| {
                entry.author.as_ref().is_some_and(|by| by.service == author)
            });
        }
    }
}

/// The whole timeline: each conversation's row, then its entries.
fn history(number: &Number, step: &mut Step<'_>, channel: &str, service: &str) {
    for customer in number.customers(channel) {
        rows::conversation(number, step, channel, &customer, service);
        rows::entries(number, step, channel, &customer, service, |_| true);
    }
}
