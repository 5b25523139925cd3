//! Ctrl-C and SIGTERM: everybody is told to stop; who does not is ended.

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    signal::unix::{SignalKind, signal},
    time,
};

use super::Stop;
use crate::exit::say;

/// After a signal the process is over within this time, whatever hangs.
const WATCHDOG: Duration = Duration::from_secs(10);

/// Listens for signals as long as it lives; also runs what needs sockets.
pub struct Signals {
    runtime: Runtime,
    /// Set by the first signal.
    pub stop: Arc<Stop>,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// If the system gives no thread or no signal.
    pub fn listen() -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let stop = Arc::new(Stop::default());
        let _guard = runtime.enter();
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let told = Arc::clone(&stop);
        runtime.spawn(async move {
            tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
            told.set();
            let why = tokio::select! {
                _ = interrupt.recv() => "a second signal",
                _ = terminate.recv() => "a second signal",
                () = time::sleep(WATCHDOG) => "10 s after the first signal it still had not stopped",
            };
            say(format_args!("partyline: ended at once: {why}. Nothing committed is lost"));
            std::process::exit(3);
        });
        Ok(Self { runtime, stop })
    }

    /// Where sockets run.
    pub fn sockets(&self) -> &Handle {
        self.runtime.handle()
    }
}
