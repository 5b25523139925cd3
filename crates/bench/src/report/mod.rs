//! What was measured, for people: `table` prints it, `plot` draws it.

mod plot;
mod table;

pub use plot::plots;
pub use table::tables;
