//! A record's keys in sled: its own key, one byte for the slot, and one more for every piece but the first.
//!
//! The slot's byte is 0 or 1 and ends the key, so inside the key the bytes 0, 1 and 2 are written as 2 and a byte
//! from 2 to 4. That keeps the order of keys, one of which may begin with another, and tells where each ends.

use super::slots::Slot;

const ESCAPE: u8 = 2;

/// Replaces `stored` by the escaped `key`.
pub(super) fn escape(key: &[u8], stored: &mut Vec<u8>) {
    stored.clear();
    for &byte in key {
        if byte <= ESCAPE {
            stored.extend([ESCAPE, ESCAPE + byte]);
        } else {
            stored.push(byte);
        }
    }
}

/// Replaces `key` by what was escaped; `None` if it was not.
pub(super) fn unescape(escaped: &[u8], key: &mut Vec<u8>) -> Option<()> {
    key.clear();
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        key.push(match byte {
            ESCAPE => bytes.next()?.checked_sub(ESCAPE).filter(|byte| *byte <= ESCAPE)?,
            byte => byte,
        });
    }
    Some(())
}

/// The escaped key, the slot and the number of the piece that a key in sled says.
pub(super) fn split(stored: &[u8]) -> Option<(&[u8], Slot, u8)> {
    let end = stored.iter().position(|byte| *byte < ESCAPE)?;
    let slot = if stored[end] == Slot::A.byte() { Slot::A } else { Slot::B };
    match stored[end + 1..] {
        [] => Some((&stored[..end], slot, 0)),
        [piece] => Some((&stored[..end], slot, piece)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![0_u8..5, any::<u8>()], 0..6)
    }

    fn stored(key: &[u8], slot: Slot) -> Vec<u8> {
        let mut stored = Vec::new();
        escape(key, &mut stored);
        stored.push(slot.byte());
        stored
    }

    proptest! {
        #[test]
        fn keys_keep_their_order_and_come_back(a in key(), b in key(), a_slot: bool, b_slot: bool) {
            let slot = |b| if b { Slot::B } else { Slot::A };
            let (in_a, in_b) = (stored(&a, slot(a_slot)), stored(&b, slot(b_slot)));
            if a != b {
                prop_assert_eq!(a.cmp(&b), in_a.cmp(&in_b));
            }
            let (escaped, found, piece) = split(&in_a).unwrap();
            let mut back = Vec::new();
            unescape(escaped, &mut back).unwrap();
            prop_assert_eq!((back, found, piece), (a, slot(a_slot), 0));
        }
    }
}
