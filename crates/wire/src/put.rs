//! Writing protobuf fields from borrowed data. Defaults are left out, as proto3 does.

use prost::encoding::{WireType, encode_key, encode_varint};

pub fn uint(buf: &mut Vec<u8>, tag: u32, value: u64) {
    if value != 0 {
        encode_key(tag, WireType::Varint, buf);
        encode_varint(value, buf);
    }
}

pub fn int(buf: &mut Vec<u8>, tag: u32, value: i64) {
    uint(buf, tag, value.cast_unsigned());
}

pub fn bool(buf: &mut Vec<u8>, tag: u32, value: bool) {
    uint(buf, tag, u64::from(value));
}

pub fn str(buf: &mut Vec<u8>, tag: u32, value: &str) {
    if !value.is_empty() {
        bytes(buf, tag, value.as_bytes());
    }
}

/// Also written when empty: for elements of lists and present messages.
pub fn bytes(buf: &mut Vec<u8>, tag: u32, value: &[u8]) {
    encode_key(tag, WireType::LengthDelimited, buf);
    encode_varint(value.len() as u64, buf);
    buf.extend_from_slice(value);
}

/// A nested message: written in place, moved only if its length takes more than one byte.
pub fn message(buf: &mut Vec<u8>, tag: u32, write: impl FnOnce(&mut Vec<u8>)) {
    encode_key(tag, WireType::LengthDelimited, buf);
    buf.push(0);
    let start = buf.len();
    write(buf);
    let len = buf.len() - start;
    let mut prefix = [0_u8; 10];
    let mut rest = &mut prefix[..];
    encode_varint(len as u64, &mut rest);
    let unused = rest.len();
    let prefix = &prefix[..10 - unused];
    buf.resize(buf.len() + prefix.len() - 1, 0);
    buf.copy_within(start..start + len, start + prefix.len() - 1);
    buf[start - 1..start - 1 + prefix.len()].copy_from_slice(prefix);
}
