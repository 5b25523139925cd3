//! Questions about a view, to whoever has its store.
//!
//! - [`ViewClient`]: asks the worker that runs, on its socket, or opens the store itself when nobody runs.
//! - [`Questions`]: the worker's end; answers between steps. `server` is the socket in between.
//! - `frame`: what goes over the socket; `socket`: where it is.

mod client;
mod frame;
mod server;
mod socket;
#[cfg(test)]
mod tests;

pub use client::ViewClient;
pub use server::{Questions, serve};
