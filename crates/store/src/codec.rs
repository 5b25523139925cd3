//! How a table's records become bytes and back.

/// What a [`Table`](crate::Table) must know of its records; plain functions, so that a table is one concrete type.
pub struct Codec<T> {
    /// Appends the record's bytes. The same record must always give the same bytes.
    pub encode: fn(&T, &mut Vec<u8>),
    /// The record of these bytes, or what is wrong with them. An error means that the store is damaged.
    pub decode: fn(&[u8]) -> Result<T, String>,
    /// Bytes the record takes in memory: its own size and everything it points at.
    pub weigh: fn(&T) -> usize,
    /// `false` for a record that says no more than `T::default()` does and need not be stored.
    pub keep: fn(&T) -> bool,
    /// For records that grow and are large beside what they grow by.
    pub growth: Option<Growth<T>>,
}

/// How what a record grew by is kept, without all of it being written again.
pub struct Growth<T> {
    /// Appends what changed since `kept`. Behind all bytes of the record from before, [`Codec::decode`] must make the same
    /// of it as of [`Codec::encode`]'s bytes.
    pub encode: fn(&T, &mut Vec<u8>),
    /// Takes note that everything is kept: growth is counted from here on. What was decoded counts as kept.
    pub kept: fn(&mut T),
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl<T> Clone for Growth<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Growth<T> {}
