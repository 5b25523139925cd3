//! Logs that were measured, until they are deleted.

use std::collections::VecDeque;

/// The oldest first, and how many commands were written to each.
pub struct Measured<L>(VecDeque<(L, u64)>);

impl<L> Default for Measured<L> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<L> Measured<L> {
    /// Adds the newest one.
    pub fn add(&mut self, log: L, commands: u64) {
        self.0.push_back((log, commands));
    }

    /// Takes the oldest one out, if those after it have at least `kept` commands.
    pub fn take_before(&mut self, kept: u64) -> Option<L> {
        let after: u64 = self.0.iter().skip(1).map(|(_, commands)| commands).sum();
        if after < kept { None } else { self.0.pop_front().map(|(log, _)| log) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_goes_once_enough_came_after_it() {
        let mut measured = Measured::default();
        let mut gone = Vec::new();
        for (log, commands) in [("a", 1), ("b", 9), ("c", 0), ("d", 1), ("e", 10)] {
            measured.add(log, commands);
            let took: Vec<_> = std::iter::from_fn(|| measured.take_before(10)).collect();
            gone.push(took.join(""));
        }
        assert_eq!(gone, ["", "", "", "a", "bcd"]);
        let rest: Vec<_> = std::iter::from_fn(|| measured.take_before(0)).collect();
        assert_eq!(rest, ["e"]);
    }
}
