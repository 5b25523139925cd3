//! One conversation, as far as its commands depend on what came before.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// Those who answer.
pub const AGENTS: [&str; 8] = ["mia", "ravi", "jonas.k", "aylin", "tomasz", "lena.b", "sofia", "deniz"];

/// A conversation.
pub struct Talk {
    pub customer: String,
    pub number: u32,
    /// About how many entries it has.
    pub entries: u64,
    /// Whether an agent has it in hand.
    pub picked_up: bool,
    service: usize,
    agent: usize,
}

impl Talk {
    /// Nothing was said yet.
    pub fn new(ix: u32, number: u32, services: usize, random: &mut ChaCha8Rng) -> Self {
        Self {
            customer: format!("+49151{ix:08}"),
            number,
            entries: 0,
            picked_up: false,
            service: random.random_range(0..services.max(1)),
            agent: random.random_range(0..AGENTS.len()),
        }
    }

    /// Who answers: the one who did before, or once in twenty times somebody else of any service.
    pub fn answers(&self, services: usize, random: &mut ChaCha8Rng) -> (usize, usize) {
        if random.random_range(0..20) == 0 {
            (random.random_range(0..services.max(1)), random.random_range(0..AGENTS.len()))
        } else {
            (self.service, self.agent)
        }
    }
}
