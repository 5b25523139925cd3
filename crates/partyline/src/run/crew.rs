//! Threads that end together: whichever ends first, in whatever way, ends the others.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use super::Stop;

/// Threads of one process.
pub struct Crew {
    stop: Arc<Stop>,
    threads: Mutex<Vec<JoinHandle<anyhow::Result<()>>>>,
}

/// Sets the flag when its thread is over, by a panic too.
struct EndsAll(Arc<Stop>);

impl Drop for EndsAll {
    fn drop(&mut self) {
        self.0.set();
    }
}

impl Crew {
    /// Nobody yet.
    pub fn new(stop: &Arc<Stop>) -> Self {
        Self { stop: Arc::clone(stop), threads: Mutex::default() }
    }

    /// Starts one more.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        &self,
        name: &str,
        work: impl FnOnce(&Stop) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let stop = Arc::clone(&self.stop);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let ends = EndsAll(stop);
            work(&ends.0)
        })?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Waits until all are over. Further failures are logged.
    ///
    /// # Errors
    /// The first failure.
    pub fn finish(&self) -> anyhow::Result<()> {
        let mut first = Ok(());
        while let Some(thread) = self.next() {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            let ended = thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the thread {name} panicked")));
            match (&first, ended) {
                (Ok(()), Err(error)) => first = Err(error),
                (Err(_), Err(error)) => tracing::error!(thread = name, error = format!("{error:#}"), "failed"),
                _ => {}
            }
        }
        first
    }

    fn next(&self) -> Option<JoinHandle<anyhow::Result<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
