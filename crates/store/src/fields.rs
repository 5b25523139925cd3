//! The few bytes a store keeps about itself: length-prefixed fields under a checksum, so that damage is noticed.

const CHECKSUM_BYTES: usize = 16;

/// Collects fields and seals them with a checksum.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn number(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn bytes(self, value: &[u8]) -> Self {
        let mut with_length = self.number(value.len() as u64);
        with_length.0.extend_from_slice(value);
        with_length
    }

    pub(crate) fn seal(mut self) -> Vec<u8> {
        let checksum = blake3::hash(&self.0);
        self.0.extend_from_slice(&checksum.as_bytes()[..CHECKSUM_BYTES]);
        self.0
    }
}

/// Reads the fields again; every answer is `None` where they do not fit.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn open(sealed: &'a [u8]) -> Option<Self> {
        let (fields, checksum) = sealed.split_at_checked(sealed.len().checked_sub(CHECKSUM_BYTES)?)?;
        (blake3::hash(fields).as_bytes()[..CHECKSUM_BYTES] == *checksum).then_some(Self(fields))
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }
}
