//! The time that a message carried, in the row that it became. Read by hand: a full decoder would cost more than the
//! consumer itself.

/// `ViewRow.entry`
const ENTRY: u64 = 4;
/// `EntryRow.sent_at_ms`; nothing in the ledger reads it, so it carries microseconds here.
const SENT_AT: u64 = 9;

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The `sent_at_ms` of an entry row; `None` in any other row.
pub fn sent_at(row: &[u8]) -> Option<u64> {
    let Value::Bytes(entry) = find(row, ENTRY)? else { return None };
    match find(entry, SENT_AT)? {
        Value::Number(stamp) => Some(stamp),
        Value::Bytes(_) => None,
    }
}

/// The first field of this number in a protobuf message.
fn find(mut message: &[u8], wanted: u64) -> Option<Value<'_>> {
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut message)?),
            1 => Value::Bytes(take(&mut message, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                Value::Bytes(take(&mut message, length)?)
            }
            5 => Value::Bytes(take(&mut message, 4)?),
            _ => return None,
        };
        if tag >> 3 == wanted {
            return Some(value);
        }
    }
    None
}

fn varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(from: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::sent_at;

    #[test]
    fn finds_the_time_in_an_entry_and_nowhere_else() {
        // cause {offset 300, index 1}; entry {channel_id "x", seq 5, sent_at_ms 1_000, at_ms 7}
        let entry = [10, 5, 8, 172, 2, 16, 1, 34, 10, 10, 1, b'x', 24, 5, 72, 232, 7, 96, 7];
        assert_eq!(sent_at(&entry), Some(1_000));
        for cut in 0..15 {
            assert_eq!(sent_at(&entry[..cut]), None, "{cut}");
        }
        // channel {channel_id "x"}; position {partition 1}; entry of a reply, which has no time.
        for other in [&[18, 3, 10, 1, b'x'][..], &[58, 2, 8, 1], &[34, 3, 10, 1, b'x'], &[]] {
            assert_eq!(sent_at(other), None);
        }
    }
}
