//! Protobuf by hand: fast, and a producer that knows nothing but the .proto.

/// Field numbers of `partyline.v1.Command`'s actions.
pub const SUBSCRIBE: u32 = 10;
/// A customer's message.
pub const MESSAGE: u32 = 12;
/// A service's reply.
pub const REPLY: u32 = 13;
/// An agent's pickup.
pub const PICKUP: u32 = 14;
/// `Visibility.FULL`
pub const FULL: u64 = 1;
/// `Visibility.MASKED`
pub const MASKED: u64 = 2;
/// `Origin.BOT`
pub const BOT: u64 = 2;

/// A field of bytes or an embedded message.
pub fn bytes(into: &mut Vec<u8>, field: u32, value: &[u8]) {
    varint(into, u64::from(field << 3 | 2));
    varint(into, value.len() as u64);
    into.extend_from_slice(value);
}

/// A string field.
pub fn text(into: &mut Vec<u8>, field: u32, value: &str) {
    bytes(into, field, value.as_bytes());
}

/// An integer or enum field; 0 is left out.
pub fn number(into: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        varint(into, u64::from(field << 3));
        varint(into, value);
    }
}

fn varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}
