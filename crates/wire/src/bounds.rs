//! Every bound of the contract, checked while a protobuf message becomes a type of the ledger.

use std::sync::Arc;

use partyline_ledger::{Agent, BadName, Content, Customer, Licence, Origin, Service, Visibility};
use prost::Message as _;

use crate::{
    decode::Invalid,
    pb::{self, content::Body},
};

const MAX_TEXT_CHARS: usize = 4_096;
const MAX_STRING_CHARS: usize = 1_024;
const MAX_ID_BYTES: usize = 256;
const MAX_OPTIONS: usize = 10;
const MAX_PARAMETERS: usize = 100;
const MAX_HOLD_S: u32 = 86_400;
const DEFAULT_HOLD_S: u32 = 1_800;

const LICENCES: &str = "BUNDLE (1), STANDALONE (2), UPGRADED_PORTAL (3)";
const VISIBILITIES: &str = "FULL (1), MASKED (2)";
const ORIGINS: &str = "AGENT (1), BOT (2), AUTO_REPLY (3), WORKFLOW (4), NOTIFICATION (5)";
const MEDIA_KINDS: &str = "IMAGE (1), VIDEO (2), AUDIO (3), DOCUMENT (4), STICKER (5)";

type Checked<T> = Result<T, Invalid>;

pub fn named<T>(field: &'static str, name: Result<T, BadName>) -> Checked<T> {
    name.map_err(|bad| Invalid::new(field, bad.to_string()))
}

pub fn product(text: &str) -> Checked<Option<Service>> {
    if text.is_empty() { Ok(None) } else { named("subscribe.product", Service::new(text)).map(Some) }
}

pub fn licence(value: i32) -> Checked<Licence> {
    match pb::Licence::try_from(value) {
        Ok(pb::Licence::Unspecified | pb::Licence::Bundle) => Ok(Licence::Bundle),
        Ok(pb::Licence::Standalone) => Ok(Licence::Standalone),
        Ok(pb::Licence::UpgradedPortal) => Ok(Licence::UpgradedPortal),
        Err(_) => Err(unknown_value("subscribe.licence", value, LICENCES)),
    }
}

pub fn visibility(field: &'static str, value: i32, default: Visibility) -> Checked<Visibility> {
    match pb::Visibility::try_from(value) {
        Ok(pb::Visibility::Unspecified) => Ok(default),
        Ok(pb::Visibility::Full) => Ok(Visibility::Full),
        Ok(pb::Visibility::Masked) => Ok(Visibility::Masked),
        Err(_) => Err(unknown_value(field, value, VISIBILITIES)),
    }
}

/// An agent is required unless the reply is automation.
pub fn origin(value: i32, agent: &str) -> Checked<Origin> {
    let origin = pb::Origin::try_from(value).map_err(|_| unknown_value("reply.origin", value, ORIGINS))?;
    let agent = match agent {
        "" => None,
        text => Some(named("reply.agent", Agent::new(text))?),
    };
    Ok(match origin {
        pb::Origin::Bot => Origin::Bot(agent),
        pb::Origin::AutoReply => Origin::AutoReply(agent),
        pb::Origin::Workflow => Origin::Workflow(agent),
        pb::Origin::Notification => Origin::Notification(agent),
        pb::Origin::Unspecified | pb::Origin::Agent => {
            let required = || Invalid::new("reply.agent", "is required unless origin is automation");
            Origin::Agent(agent.ok_or_else(required)?)
        }
    })
}

pub fn customer(field: &'static str, text: &str) -> Checked<Customer> {
    named(field, Customer::new(text))
}

pub fn hold_for_s(value: u32) -> Checked<u32> {
    match value {
        0 => Ok(DEFAULT_HOLD_S),
        1..=MAX_HOLD_S => Ok(value),
        _ => Err(Invalid::new("pickup.hold_for_s", format!("must be 0 to {MAX_HOLD_S}, is {value}"))),
    }
}

pub fn id(field: &'static str, text: &str) -> Checked<Arc<str>> {
    if text.len() > MAX_ID_BYTES {
        return Err(Invalid::new(field, format!("must be at most {MAX_ID_BYTES} bytes, has {}", text.len())));
    }
    // The default one takes no memory of its own, and most are empty.
    Ok(if text.is_empty() { Arc::default() } else { Arc::from(text) })
}

/// The content, in bounds, in its canonical encoding. `within` is the field that holds it.
pub fn content(within: &'static str, content: Option<pb::Content>) -> Checked<Content> {
    let Some(content) = content else { return Err(Invalid::new(within, "is required")) };
    let Some(body) = &content.body else {
        return Err(Invalid::new(
            within,
            "must be exactly one of text, media, location, choice, interactive, template, reaction, unsupported",
        ));
    };
    body_in_bounds(body).map_err(|inner| inner.within(within))?;
    Ok(Content(Arc::from(content.encode_to_vec())))
}

fn body_in_bounds(body: &Body) -> Checked<()> {
    match body {
        Body::Text(body) => text(body),
        Body::Media(media) => {
            match pb::MediaKind::try_from(media.kind) {
                Ok(pb::MediaKind::Unspecified) => {
                    return Err(Invalid::new("media.kind", format!("is required; known: {MEDIA_KINDS}")));
                }
                Ok(_) => {}
                Err(_) => return Err(unknown_value("media.kind", media.kind, MEDIA_KINDS)),
            }
            id("media.media_id", &media.media_id)?;
            string("media.mime_type", &media.mime_type)?;
            string("media.caption", &media.caption)?;
            string("media.filename", &media.filename)
        }
        Body::Location(location) => {
            degrees("location.latitude", location.latitude, 90.0)?;
            degrees("location.longitude", location.longitude, 180.0)?;
            string("location.name", &location.name)?;
            string("location.address", &location.address)
        }
        Body::Choice(choice) => {
            id("choice.id", &choice.id)?;
            string("choice.title", &choice.title)
        }
        Body::Interactive(interactive) => {
            string("interactive.text", &interactive.text)?;
            count("interactive.options", interactive.options.len(), 1, MAX_OPTIONS)?;
            each("interactive.options", &interactive.options, |option| {
                id("id", &option.id)?;
                string("title", &option.title)
            })
        }
        Body::Template(template) => {
            string("template.name", &template.name)?;
            string("template.language", &template.language)?;
            count("template.parameters", template.parameters.len(), 0, MAX_PARAMETERS)?;
            each("template.parameters", &template.parameters, |parameter| string("", parameter))
        }
        Body::Reaction(reaction) => {
            id("reaction.message_id", &reaction.message_id)?;
            string("reaction.emoji", &reaction.emoji)
        }
        Body::Unsupported(unsupported) => string("unsupported.type", &unsupported.r#type),
    }
}

/// A text message.
pub fn text(text: &str) -> Checked<()> {
    if text.is_empty() {
        return Err(Invalid::new("text", "must not be empty"));
    }
    chars("text", text, MAX_TEXT_CHARS)
}

fn string(field: &'static str, text: &str) -> Checked<()> {
    chars(field, text, MAX_STRING_CHARS)
}

/// Characters are Unicode scalar values; counted only where the bytes leave a doubt.
fn chars(field: &'static str, text: &str, max: usize) -> Checked<()> {
    if text.len() <= max {
        return Ok(());
    }
    let found = text.chars().count();
    if found <= max {
        return Ok(());
    }
    Err(Invalid::new(field, format!("must be at most {max} characters, has {found}")))
}

fn count(field: &'static str, found: usize, min: usize, max: usize) -> Checked<()> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(Invalid::new(field, format!("must have {min} to {max} elements, has {found}")))
}

/// Checks each element of a list; what is wrong is said with its place, from 0.
fn each<T>(list: &'static str, elements: &[T], check: impl Fn(&T) -> Checked<()>) -> Checked<()> {
    let mut numbered = elements.iter().enumerate();
    numbered.try_for_each(|(n, element)| check(element).map_err(|inner| inner.within(&format!("{list}[{n}]"))))
}

fn degrees(field: &'static str, value: f64, max: f64) -> Checked<()> {
    // Also false for NaN.
    if value.abs() <= max { Ok(()) } else { Err(Invalid::new(field, format!("must be -{max} to {max} degrees"))) }
}

fn unknown_value(field: &'static str, value: i32, known: &'static str) -> Invalid {
    Invalid::new(field, format!("has the unknown value {value}; known: {known}"))
}
