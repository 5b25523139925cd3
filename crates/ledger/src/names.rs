//! Names that a command may contain, checked where they enter (contract: Words).

use std::fmt;

use crate::text::Text;

/// A name that breaks its form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct BadName(&'static str);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $form:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Text);

        impl $name {
            /// Checks the form.
            ///
            /// # Errors
            /// Says which form was expected; never quotes the text.
            pub fn new(text: &str) -> Result<Self, BadName> {
                Self::from_bytes(text.as_bytes())
            }

            /// The same, of bytes that need not be text: no form has any but ASCII.
            ///
            /// # Errors
            /// As [`Self::new`].
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadName> {
                let valid: fn(&[u8]) -> bool = $valid;
                if valid(bytes) { Ok(Self(Text::from_ascii(bytes))) } else { Err(BadName($form)) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The text's bytes.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }

            /// Bytes of memory that it takes beside itself.
            pub fn memory_bytes(&self) -> usize {
                self.0.memory_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }
    };
}

name!(
    /// The shared WhatsApp number, E.164.
    BusinessNumber,
    "+ and 8 to 15 digits",
    |text| matches!(text, [b'+', digits @ ..] if (8..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit))
);
name!(
    /// The other end of a conversation: E.164, or a business-scoped user id.
    Customer,
    "1 to 64 bytes of [A-Za-z0-9+._:-]",
    |text| within(text, 64, const { &letters_digits_and(b"+._:-") })
);
name!(
    /// A team's application.
    Service,
    "[a-z][a-z0-9-]{0,31}",
    |text| text.len() <= 32
        && text.first().is_some_and(u8::is_ascii_lowercase)
        && text.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
);
name!(
    /// A person of a service.
    Agent,
    "1 to 64 bytes of [A-Za-z0-9._:@-]",
    |text| within(text, 64, const { &letters_digits_and(b"._:@-") })
);
name!(
    /// A command's name, chosen by its producer.
    CommandId,
    "1 to 64 bytes of [A-Za-z0-9._:-]",
    |text| within(text, 64, const { &letters_digits_and(b"._:-") })
);

/// Which bytes a name may have.
type Alphabet = [bool; 256];

const fn letters_digits_and(marks: &[u8]) -> Alphabet {
    let mut alphabet = [false; 256];
    let mut byte = u8::MIN;
    while byte < u8::MAX {
        alphabet[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut mark = 0;
    while mark < marks.len() {
        alphabet[marks[mark] as usize] = true;
        mark += 1;
    }
    alphabet
}

fn within(text: &[u8], max_bytes: usize, alphabet: &Alphabet) -> bool {
    (1..=max_bytes).contains(&text.len()) && text.iter().all(|byte| alphabet[usize::from(*byte)])
}

impl BusinessNumber {
    pub(crate) fn text(&self) -> &Text {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let long = |n| "a".repeat(n);
        for (text, good) in
            [("+12345678", true), ("+1234567", false), ("+1234567890123456", false), ("12345678", false)]
        {
            assert_eq!(BusinessNumber::new(text).is_ok(), good, "{text}");
        }
        for (text, good) in [("", false), ("+49:x@", false), ("u.-:+1A_", true), (&long(64), true), (&long(65), false)]
        {
            assert_eq!(Customer::new(text).is_ok(), good, "{text}");
        }
        for (text, good) in [("", false), ("a", true), ("1a", false), ("a-9", true), ("A", false), (&long(33), false)] {
            assert_eq!(Service::new(text).is_ok(), good, "{text}");
        }
        for (text, good) in [("", false), ("mia@x.de", true), ("m+a", false), (&long(65), false)] {
            assert_eq!(Agent::new(text).is_ok(), good, "{text}");
        }
        for (text, good) in [("", false), ("c-1:2.3@", false), ("c-1:2.3_", true), ("é", false)] {
            assert_eq!(CommandId::new(text).is_ok(), good, "{text}");
        }
    }
}
