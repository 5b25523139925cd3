//! Writing protobuf fields from borrowed data. Defaults are left out, as proto3 does.

use prost::encoding::{WireType, encode_varint};

fn key(buf: &mut Vec<u8>, tag: u32, wire_type: WireType) {
    varint(buf, u64::from(tag << 3 | wire_type as u32));
}

/// Most are of one byte.
fn varint(buf: &mut Vec<u8>, value: u64) {
    match u8::try_from(value) {
        Ok(byte @ ..0x80) => buf.push(byte),
        _ => append_long(buf, value),
    }
}

/// It is made aside: prost would look for room in the buffer for each byte. A copy of ten bytes, of which the last ones
/// are taken away again, is no call, as one of so many would be.
#[inline(never)]
fn append_long(buf: &mut Vec<u8>, value: u64) {
    let mut bytes = [0; 10];
    let end = buf.len() + long_varint(value, &mut bytes).len();
    buf.extend_from_slice(&bytes);
    buf.truncate(end);
}

fn long_varint(value: u64, bytes: &mut [u8; 10]) -> &[u8] {
    let mut rest = &mut bytes[..];
    encode_varint(value, &mut rest);
    let unused = rest.len();
    &bytes[..10 - unused]
}

pub fn uint(buf: &mut Vec<u8>, tag: u32, value: u64) {
    if value != 0 {
        key(buf, tag, WireType::Varint);
        varint(buf, value);
    }
}

pub fn int(buf: &mut Vec<u8>, tag: u32, value: i64) {
    uint(buf, tag, value.cast_unsigned());
}

pub fn bool(buf: &mut Vec<u8>, tag: u32, value: bool) {
    uint(buf, tag, u64::from(value));
}

pub fn text(buf: &mut Vec<u8>, tag: u32, value: &[u8]) {
    if !value.is_empty() {
        bytes(buf, tag, value);
    }
}

/// Also written when empty: for elements of lists and present messages.
pub fn bytes(buf: &mut Vec<u8>, tag: u32, value: &[u8]) {
    key(buf, tag, WireType::LengthDelimited);
    varint(buf, value.len() as u64);
    buf.extend_from_slice(value);
}

/// A nested message: written in place, moved only if its length takes more than one byte.
pub fn message(buf: &mut Vec<u8>, tag: u32, write: impl FnOnce(&mut Vec<u8>)) {
    key(buf, tag, WireType::LengthDelimited);
    buf.push(0);
    let start = buf.len();
    write(buf);
    let len = buf.len() - start;
    if len < 0x80 {
        buf[start - 1] = len as u8;
        return;
    }
    let mut bytes = [0; 10];
    let prefix = long_varint(len as u64, &mut bytes);
    buf.resize(buf.len() + prefix.len() - 1, 0);
    buf.copy_within(start..start + len, start + prefix.len() - 1);
    buf[start - 1..start - 1 + prefix.len()].copy_from_slice(prefix);
}
