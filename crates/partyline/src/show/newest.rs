//! The newest few of many things, in bounded memory.

/// Keeps the newest `limit` things that are pushed; in between at most twice as many.
pub struct Newest<T> {
    limit: usize,
    kept: Vec<(i64, T)>,
    /// How many things were pushed.
    pub seen: u64,
}

impl<T> Newest<T> {
    /// Keeps this many.
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), kept: Vec::new(), seen: 0 }
    }

    /// Takes a thing of this time.
    pub fn push(&mut self, at_ms: i64, thing: T) {
        self.seen += 1;
        self.kept.push((at_ms, thing));
        if self.kept.len() >= 2 * self.limit {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.kept.sort_by_key(|(at_ms, _)| std::cmp::Reverse(*at_ms));
        self.kept.truncate(self.limit);
    }

    /// The newest things, newest first.
    pub fn into_newest(mut self) -> impl Iterator<Item = T> {
        self.settle();
        self.kept.into_iter().map(|(_, thing)| thing)
    }

    /// How many were pushed that are not among the newest.
    pub fn left_out(&self) -> u64 {
        self.seen.saturating_sub(self.limit as u64)
    }
}
