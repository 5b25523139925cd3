//! Short texts: names, of which each command has several, and each row.

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
    str,
    sync::Arc,
};

/// A text of so many bytes lies in place.
const BYTES_IN_PLACE: usize = 22;

/// What a shared one takes besides: who counts its owners, and where the allocator's sizes end.
const COUNTS_BYTES: usize = 32;

/// A text that does not change. A short one takes no memory of its own: making and copying it is cheap.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// What follows the text's own bytes is zero, so that equal texts are equal as they lie.
    InPlace { length: u8, bytes: [u8; BYTES_IN_PLACE] },
    /// Only where there is no room.
    Shared(Arc<str>),
}

impl Text {
    fn in_place(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; BYTES_IN_PLACE];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self::InPlace { length: text.len() as u8, bytes })
    }

    /// A text of these bytes, which are ASCII.
    pub(crate) fn from_ascii(text: &[u8]) -> Self {
        Self::in_place(text).unwrap_or_else(|| Self::Shared(Arc::from(str::from_utf8(text).unwrap_or_default())))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::InPlace { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Shared(text) => text.as_bytes(),
        }
    }

    /// Bytes of memory that it takes beside itself.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::InPlace { .. } => 0,
            Self::Shared(text) => text.len() + COUNTS_BYTES,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            // Never an error: the bytes are a text's.
            Self::InPlace { .. } => str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Shared(text) => text,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::in_place(text.as_bytes()).unwrap_or_else(|| Self::Shared(Arc::from(text)))
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_it_was_made_of_wherever_it_lies() {
        let texts: Vec<String> =
            (0..=2 * BYTES_IN_PLACE).map(|bytes| "aé".repeat(bytes)[..].chars().take(bytes).collect()).collect();
        for one in &texts {
            assert_eq!(Text::from(&**one).as_str(), one);
            for other in &texts {
                assert_eq!(Text::from(&**one).cmp(&Text::from(&**other)), one.cmp(other), "{one} {other}");
                assert_eq!(Text::from(&**one) == Text::from(&**other), one == other, "{one} {other}");
            }
        }
        assert!(matches!(Text::from(&*"a".repeat(BYTES_IN_PLACE)), Text::InPlace { .. }));
        assert!(size_of::<Text>() <= 3 * size_of::<usize>());
    }
}
