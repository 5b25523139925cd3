//! The rows of the views: keys, bodies, who gets them, and what is masked in them.

use serde_json::{Value, json};

use super::Fed;
use super::state::{Entry, Number, Pickup};
use super::validate::without_defaults;

/// One row for one service, before it has its cause.
pub struct Row {
    pub service: String,
    pub key: String,
    pub kind: &'static str,
    pub body: Value,
}

/// The command being applied and the rows that it gave so far.
pub struct Step<'a> {
    pub partition: u32,
    pub offset: u64,
    pub at_ms: i64,
    pub action: &'a Value,
    pub rows: Vec<Row>,
    command: &'a Value,
}

impl<'a> Step<'a> {
    pub fn new(fed: &Fed<'a>, action: &'a Value) -> Self {
        let (partition, offset, at_ms) = (fed.partition, fed.offset, fed.at_ms);
        Self { partition, offset, at_ms, action, rows: Vec::new(), command: fed.command }
    }

    pub fn command_id(&self) -> &'a str {
        self.command["command_id"].as_str().unwrap_or_default()
    }

    /// A string of the action, empty if it is not there.
    pub fn string(&self, name: &str) -> &'a str {
        self.action[name].as_str().unwrap_or_default()
    }

    /// A string of the action, or what an empty one means.
    pub fn string_or<'b>(&self, name: &str, default: &'b str) -> &'b str
    where
        'a: 'b,
    {
        Some(self.string(name)).filter(|text| !text.is_empty()).unwrap_or(default)
    }

    pub fn integer(&self, name: &str) -> i64 {
        self.action[name].as_i64().unwrap_or_default()
    }

    pub fn flag(&self, name: &str) -> bool {
        self.action[name].as_bool().unwrap_or_default()
    }

    fn publish(&mut self, service: &str, key: String, kind: &'static str, body: Value) {
        self.rows.push(Row { service: service.to_owned(), key, kind, body: without_defaults(&body) });
    }
}

/// The channel's row as one of its subscribers gets it.
pub fn channel(number: &Number, step: &mut Step<'_>, channel: &str, to: &str) {
    let subscribers = number.subscribers(channel);
    let settings = number.ever.get(to);
    let body = json!({
        "channel_id": channel,
        "isolated": channel != number.id,
        "subscribed": true,
        "parent": subscribers.first(),
        "subscribers": subscribers,
        "display_others": settings.map(|settings| &settings.display_others),
        "share_own": settings.map(|settings| &settings.share_own),
    });
    step.publish(to, format!("channel/{channel}"), "channel", body);
}

/// The channel's row for the service that just left it.
pub fn left(number: &Number, step: &mut Step<'_>, channel: &str, to: &str) {
    let body = json!({"channel_id": channel, "isolated": channel != number.id});
    step.publish(to, format!("channel/{channel}"), "channel", body);
}

/// The conversation's row for one service. A holder whose time has run out stays in it: readers compare.
pub fn conversation(number: &Number, step: &mut Step<'_>, channel: &str, customer: &str, to: &str) {
    let Some(conversation) = number.conversations.get(&(channel.to_owned(), customer.to_owned())) else {
        return;
    };
    let holder = conversation.pickup.as_ref().map(|pickup| {
        json!({
            "service": pickup.service,
            "agent": pickup.agent,
            "since_ms": pickup.since_ms,
            "until_ms": pickup.until_ms,
        })
    });
    let body = json!({"channel_id": channel, "customer": customer, "holder": holder});
    step.publish(to, format!("conversation/{channel}/{customer}"), "conversation", body);
}

/// The conversation's row for every subscriber.
pub fn conversation_to_all(number: &Number, step: &mut Step<'_>, channel: &str, customer: &str) {
    for subscriber in number.subscribers(channel) {
        conversation(number, step, channel, customer, &subscriber);
    }
}

/// One entry, by its place in the timeline, as one service may see it.
pub fn entry(number: &Number, step: &mut Step<'_>, channel: &str, customer: &str, place: usize, to: &str) {
    let conversation = number.conversations.get(&(channel.to_owned(), customer.to_owned()));
    let Some(entry) = conversation.and_then(|conversation| conversation.entries.get(place)) else {
        return;
    };
    let seq = place + 1;
    let mut body = json!({
        "channel_id": channel,
        "customer": customer,
        "seq": seq,
        "author": entry.author.as_ref().map(|author| {
            json!({"service": author.service, "agent": author.agent, "origin": author.origin})
        }),
        "visibility": "MASKED",
        "source": {"partition": entry.partition, "offset": entry.offset},
        "at_ms": entry.at_ms,
    });
    if is_full(number, entry, to) {
        body["visibility"] = json!("FULL");
        body["content"] = entry.content.clone();
        body["message_id"] = json!(entry.message_id);
        body["in_reply_to"] = json!(entry.in_reply_to);
        body["sent_at_ms"] = json!(entry.sent_at_ms);
        if entry.author.as_ref().is_some_and(|author| author.service == to) {
            body["command_id"] = json!(entry.command_id);
        }
    }
    step.publish(to, format!("entry/{channel}/{customer}/{seq:020}"), "entry", body);
}

/// Those entries of a conversation that are `wanted`, for one service.
pub fn entries(
    number: &Number,
    step: &mut Step<'_>,
    channel: &str,
    customer: &str,
    to: &str,
    wanted: impl Fn(&Entry) -> bool,
) {
    let conversation = number.conversations.get(&(channel.to_owned(), customer.to_owned()));
    let entries = conversation.map_or(&[][..], |conversation| &conversation.entries);
    for (place, _) in entries.iter().enumerate().filter(|(_, entry)| wanted(entry)) {
        self::entry(number, step, channel, customer, place, to);
    }
}

/// The customer's words are everybody's, a service's own are its own, and another's need both settings.
fn is_full(number: &Number, entry: &Entry, to: &str) -> bool {
    let Some(author) = &entry.author else {
        return true;
    };
    let viewer_wants = number.ever.get(to).is_some_and(|settings| settings.display_others == "FULL");
    let author_shares = number.ever.get(&author.service).is_some_and(|settings| settings.share_own == "FULL");
    author.service == to || (viewer_wants && author_shares)
}

/// A warning about the command's agent, to the services that it names, once each.
#[expect(clippy::too_many_arguments, reason = "these are the row's fields")]
pub fn warning(
    number: &mut Number,
    step: &mut Step<'_>,
    channel: &str,
    customer: &str,
    kind: &str,
    holder: Option<&Pickup>,
    seq: i64,
    latest_seq: i64,
) {
    let Some(conversation) = number.conversations.get_mut(&(channel.to_owned(), customer.to_owned())) else {
        return;
    };
    let key = format!("warning/{channel}/{customer}/{}", conversation.warnings % 32);
    conversation.warnings += 1;
    let body = json!({
        "channel_id": channel,
        "customer": customer,
        "kind": kind,
        "by": {"service": step.string("service"), "agent": step.string("agent")},
        "holder": holder.map(|holder| json!({"service": holder.service, "agent": holder.agent})),
        "seq": seq,
        "latest_seq": latest_seq,
        "at_ms": step.at_ms,
    });
    let by = step.string("service");
    step.publish(by, key.clone(), "warning", body.clone());
    if let Some(holder) = holder.filter(|holder| holder.service != by) {
        step.publish(&holder.service, key, "warning", body);
    }
}

/// A rejection, to the service that issued the command.
pub fn rejection(number: &Number, step: &mut Step<'_>, to: &str, reason: &str) {
    let key = format!("rejection/{}/{}", number.id, number.rejections % 256);
    let (command_id, at_ms) = (step.command_id(), step.at_ms);
    let body = json!({"business_number": number.id, "command_id": command_id, "reason": reason, "at_ms": at_ms});
    step.publish(to, key, "rejection", body);
}
