//! The six actions, a file each (contract: Rules).

mod message;
mod pickup;
mod reply;
mod republish;
mod subscribe;
mod unsubscribe;
mod warning;

pub(crate) use message::message;
pub(crate) use pickup::pickup;
pub(crate) use reply::reply;
pub(crate) use republish::republish;
pub(crate) use subscribe::subscribe;
pub(crate) use unsubscribe::unsubscribe;
