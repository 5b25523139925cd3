//! How a table's records become bytes and back.

/// What a [`Table`](crate::Table) must know of its records; plain functions, so that a table is one concrete type.
pub struct Codec<T> {
    /// Appends the record's bytes; of one that grows, what it grew by since it was [kept](Growth::kept). The same record
    /// must always give the same bytes.
    pub encode: fn(&T, &mut Vec<u8>),
    /// The record of these bytes, or what is wrong with them: of one that grows, of everything that was ever written of
    /// it, one behind the other. An error means that the store is damaged.
    pub decode: fn(&[u8]) -> Result<T, String>,
    /// Bytes the record takes in memory: its own size and everything it points at.
    pub weigh: fn(&T) -> usize,
    /// `false` for a record that says no more than `T::default()` does and need not be stored.
    pub keep: fn(&T) -> bool,
    /// For records that only grow, and are large beside what they grow by.
    pub growth: Option<Growth<T>>,
}

/// How what a record grew by is kept, without all of it being written again, or even being in memory.
pub struct Growth<T> {
    /// Takes note that everything is kept: growth is counted from here on. What was decoded counts as kept.
    pub kept: fn(&mut T),
    /// Makes few bytes of a record's that were written one behind the other, of which [`Codec::decode`] must make the
    /// same, whatever may stand before or behind them; or says what is wrong with them.
    pub join: Join,
}

/// See [`Growth::join`].
pub(crate) type Join = fn(&[u8]) -> Result<Vec<u8>, String>;

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
