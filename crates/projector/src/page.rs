//! How a view's rows lie in its store: rows whose keys differ only at the end share a page, because a write costs by
//! the key (a store's pages are few and larger). Pages in key order, and rows in a page in key order, are all rows in
//! key order.

use partyline_store::Codec;

/// The end of a row's key, and its value.
type Row = (Box<[u8]>, Box<[u8]>);

/// Rows that share the beginning of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Sorted by key.
    rows: Vec<Row>,
    bytes: usize,
}

/// Splits a row's key into its page's key and the rest.
pub(crate) fn split(key: &[u8]) -> (&[u8], &[u8]) {
    let at = if key.starts_with(b"entry/") {
        // Ten entries of a conversation.
        key.len() - 1
    } else if key.starts_with(b"warning/") || key.starts_with(b"rejection/") {
        // At most 32, or 256.
        key.iter().rposition(|byte| *byte == b'/').map_or(key.len(), |slash| slash + 1)
    } else {
        key.len()
    };
    key.split_at(at)
}

impl Page {
    pub fn put(&mut self, rest: &[u8], value: &[u8]) {
        match self.rows.binary_search_by(|(key, _)| (**key).cmp(rest)) {
            Ok(at) => {
                if let Some((_, old)) = self.rows.get_mut(at) {
                    self.bytes = self.bytes + value.len() - old.len();
                    *old = value.into();
                }
            }
            Err(at) => {
                self.rows.insert(at, (rest.into(), value.into()));
                self.bytes += rest.len() + value.len() + 48;
            }
        }
    }

    pub fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.rows.iter().map(|(key, value)| (&**key, &**value))
    }
}

/// A page's encoding: each part behind its length.
pub(crate) const PAGES: Codec<Page> = Codec {
    encode: |page, buf| {
        for (key, value) in page.rows() {
            for part in [key, value] {
                buf.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
                buf.extend_from_slice(part);
            }
        }
    },
    decode: |mut bytes| {
        let mut page = Page::default();
        while !bytes.is_empty() {
            let (key, rest) = part(bytes).ok_or("a page is cut short")?;
            let (value, rest) = part(rest).ok_or("a page is cut short")?;
            page.put(key, value);
            bytes = rest;
        }
        Ok(page)
    },
    weigh: |page| 160 + page.bytes,
    keep: |page| !page.rows.is_empty(),
};

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_keep_the_order_of_keys() {
        let mut keys: Vec<String> = (0..120).map(|seq| format!("entry/+49/+1/{seq:020}")).collect();
        keys.extend((0..32).map(|n| format!("warning/+49/+1/{n}")));
        keys.extend((0..32).map(|n| format!("warning/+49/+1.a/{n}")));
        keys.extend((0..256).map(|n| format!("rejection/+49/{n}")));
        keys.extend(["channel/+49", "channel/+49~a", "conversation/+49/+1", "conversation/+49/+12"].map(str::to_owned));
        keys.sort();
        let mut split: Vec<_> = keys.iter().map(|key| split(key.as_bytes())).collect();
        split.sort();
        let joined: Vec<_> = split.iter().map(|(page, rest)| [*page, *rest].concat()).collect();
        assert_eq!(joined, keys.iter().map(|key| key.as_bytes().to_vec()).collect::<Vec<_>>());
    }

    #[test]
    fn round_trip() {
        let mut page = Page::default();
        page.put(b"2", b"two");
        page.put(b"1", b"one");
        page.put(b"2", b"zwei");
        let mut bytes = Vec::new();
        (PAGES.encode)(&page, &mut bytes);
        assert_eq!((PAGES.decode)(&bytes).unwrap(), page);
        assert!((PAGES.decode)(&bytes[..bytes.len() - 1]).is_err());
    }
}
