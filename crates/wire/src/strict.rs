//! What the contract's JSON forbids and protobuf's allows: a field under another name than the proto's, a field twice
//! (which of the two would count?), an enum value that is not one of the names that say something.

use std::{collections::BTreeSet, fmt};

use prost_reflect::{EnumDescriptor, Kind, MessageDescriptor};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Whether a line that can be read as this message is one of the contract's.
///
/// # Errors
/// What is forbidden in it.
pub(crate) fn check(descriptor: &MessageDescriptor, line: &str) -> serde_json::Result<()> {
    Strict::Message(descriptor.clone()).deserialize(&mut serde_json::Deserializer::from_str(line))
}

/// The value of an enum that has this name, and is not the one that stands for nothing said.
pub(crate) fn is_value(descriptor: &EnumDescriptor, name: &str) -> bool {
    descriptor.get_value_by_name(name).is_some_and(|value| value.number() != 0)
}

/// A place in a line, by what may be there; in a list, each item.
#[derive(Clone)]
enum Strict {
    Message(MessageDescriptor),
    Enum(EnumDescriptor),
    Other,
}

impl Strict {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Message(descriptor) => Self::Message(descriptor),
            Kind::Enum(descriptor) => Self::Enum(descriptor),
            _ => Self::Other,
        }
    }

    fn no_enum<E: Error>(&self) -> Result<(), E> {
        if matches!(self, Self::Enum(_)) { Err(E::custom("has an enum value that is no name")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let Self::Message(descriptor) = self else { return Err(A::Error::custom("has an object where none may be")) };
        let mut seen = BTreeSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            let known = descriptor.get_field_by_name(&name);
            let field = known.ok_or_else(|| A::Error::custom("has an unknown field"))?;
            fields.next_value_seed(Self::of(field.kind()))?;
            if !seen.insert(field.number()) {
                return Err(A::Error::custom(format!("has the field {} twice", field.name())));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.clone())?.is_some() {}
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self {
            Self::Enum(descriptor) if !is_value(&descriptor, text) => Err(E::custom("has an unknown enum value")),
            _ => Ok(()),
        }
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.no_enum()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.no_enum()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.no_enum()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}
