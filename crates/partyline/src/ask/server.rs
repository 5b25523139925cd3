//! The worker's end: a socket takes questions, a bounded queue holds them, the worker answers between steps.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use partyline_projector::{Answer, Query, View, WorkError};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    runtime::Handle,
    sync::{Semaphore, oneshot},
    task::AbortHandle,
    time::timeout,
};

use super::{frame, socket};

/// So many may be connected at once.
const CONNECTIONS_MAX: usize = 32;
/// A connection that asks nothing for so long is closed.
const SILENT: Duration = Duration::from_secs(60);
/// Questions come in rows; after an answer the next one is waited for so long ...
const NEXT_QUESTION: Duration = Duration::from_millis(5);
/// ... and after so long the view is fed again.
const ANSWERING: Duration = Duration::from_millis(100);

/// A question and where its answer goes.
struct Question {
    query: Query,
    answer: oneshot::Sender<Result<Answer, String>>,
}

/// The questions to one view. Dropping it closes the socket.
pub struct Questions {
    queue: Receiver<Question>,
    accepting: AbortHandle,
    socket: PathBuf,
}

impl Drop for Questions {
    fn drop(&mut self) {
        self.accepting.abort();
        let _ = fs::remove_file(&self.socket);
    }
}

/// Listens in a view's folder. Only who holds the store may: the socket of one who died is replaced.
///
/// # Errors
/// If the socket cannot be made.
pub fn serve(sockets: &Handle, dir: &Path) -> io::Result<Questions> {
    let place = socket::Place::of(dir)?;
    match fs::remove_file(place.path()) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let _runtime = sockets.enter();
    let listener = UnixListener::bind(place.path())?;
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o600))?;
    let (sender, queue) = sync_channel(CONNECTIONS_MAX);
    let accepting = sockets.spawn(accept(listener, sender)).abort_handle();
    let socket = dir.join(place.path().file_name().unwrap_or_default());
    Ok(Questions { queue, accepting, socket })
}

impl Questions {
    /// Answers what was asked meanwhile.
    ///
    /// # Errors
    /// Those of the view; who asked is told too.
    pub fn answer(&self, view: &mut View) -> Result<(), WorkError> {
        let began = Instant::now();
        let mut next = self.queue.try_recv().ok();
        while let Some(Question { query, answer }) = next {
            match view.answer(&query, Instant::now()) {
                Ok(found) => drop(answer.send(Ok(found))),
                Err(error) => {
                    drop(answer.send(Err(error.to_string())));
                    return Err(error);
                }
            }
            if began.elapsed() >= ANSWERING {
                return Ok(());
            }
            next = self.queue.recv_timeout(NEXT_QUESTION).ok();
        }
        Ok(())
    }

    /// Tells everybody who asked meanwhile that there is no answer now.
    pub fn refuse(&self, reason: &dyn std::fmt::Display) {
        for question in self.queue.try_iter() {
            drop(question.answer.send(Err(reason.to_string())));
        }
    }
}

async fn accept(listener: UnixListener, queue: SyncSender<Question>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let queue = queue.clone();
                tokio::spawn(async move {
                    // Whoever asks sees it when a connection fails.
                    let _ = converse(stream, &queue).await;
                    drop(permit);
                });
            }
            // Out of file handles, for one; it passes.
            Err(_) => tokio::time::sleep(ANSWERING).await,
        }
    }
}

async fn converse(mut stream: UnixStream, queue: &SyncSender<Question>) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        timeout(SILENT, stream.read_exact(&mut length)).await??;
        let mut bytes = vec![0; frame::length(length)?];
        timeout(SILENT, stream.read_exact(&mut bytes)).await??;
        let answer = ask(frame::read_question(&bytes)?, queue).await;
        timeout(SILENT, stream.write_all(&frame::answer(&answer))).await??;
    }
}

async fn ask(query: Query, queue: &SyncSender<Question>) -> Result<Answer, String> {
    let (answer, answered) = oneshot::channel();
    queue.try_send(Question { query, answer }).map_err(|_| "is busy or stopping".to_owned())?;
    answered.await.map_err(|_| "is stopping".to_owned())?
}
