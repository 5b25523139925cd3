//! The directory of an embedded log: its connections, its locks, and the names of what can go wrong there.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{bell::Bell, layout::Slot};
use crate::{LogError, Offset};

/// How long a write waits for other processes' writes before it fails. Seconds.
pub const BUSY_TIMEOUT_S: u64 = 10;

/// The file with everything in it.
const LOG_FILE: &str = "log.sqlite";
/// A connection keeps so many prepared statements: one a partition that it writes.
const STATEMENTS_MAX: usize = 512;
/// Between two looks at a busy file. SQLite's own waits grow to 100 ms, so that a process which writes all the time
/// would keep the others out; at 1 ms they get into the gaps between its transactions.
const BUSY_PAUSE: Duration = Duration::from_millis(1);
/// A checkpoint is due after this many pages (16 MB).
const CHECKPOINT_PAGES: u32 = 1_000;
/// What the write-ahead file may keep after a checkpoint. Bytes.
pub(super) const WAL_BYTES_MAX: u64 = 64 << 20;
/// Page cache of a connection. KiB.
const CACHE_KIB: i64 = 8 << 10;

/// The directory. Shared by everything that is open on one [`super::Embedded`].
pub(super) struct Home {
    dir: PathBuf,
    /// Rings at every commit of this process.
    pub(super) bell: Bell,
}

/// Why something in a transaction failed: SQLite, or a rule of the log.
pub(super) enum Failure {
    /// SQLite said no.
    Sqlite(rusqlite::Error),
    /// The log said no.
    Log(LogError),
    /// What lies at this offset cannot be read.
    Damaged(Slot, Offset),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl Home {
    /// Makes the directory if it is not there.
    pub(super) fn new(dir: &Path) -> Result<Self, LogError> {
        let home = Self { dir: dir.to_owned(), bell: Bell::default() };
        std::fs::create_dir_all(dir).map_err(|error| home.unusable(error.to_string()))?;
        Ok(home)
    }

    /// Where it is.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A new connection. With `make`, an empty file is made if there is none.
    pub(super) fn connect(&self, make: bool) -> Result<Connection, LogError> {
        let made = if make { OpenFlags::SQLITE_OPEN_CREATE } else { OpenFlags::empty() };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | made;
        let connect = || {
            let mut conn = Connection::open_with_flags(self.dir.join(LOG_FILE), flags)?;
            conn.busy_handler(Some(keep_waiting))?;
            conn.pragma_update(None, "synchronous", "FULL")?;
            conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
            conn.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX as i64)?;
            conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
            conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
            Ok::<_, rusqlite::Error>(conn)
        };
        self.named(connect())
    }

    /// How large the write-ahead file is. Bytes.
    pub(super) fn wal_bytes(&self) -> u64 {
        let file = self.dir.join(format!("{LOG_FILE}-wal"));
        std::fs::metadata(file).map_or(0, |meta| meta.len())
    }

    /// Where a lock file of this name is.
    pub(super) fn lock_path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Takes a lock that the operating system frees when the process ends; `None` if another holds it.
    pub(super) fn try_lock(&self, name: &str) -> Result<Option<File>, LogError> {
        let path = self.lock_path(name);
        let unusable = |error: std::io::Error| self.unusable(format!("{}: {error}", path.display()));
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Takes a lock that is held for moments only; waits for it at most [`BUSY_TIMEOUT_S`].
    pub(super) fn lock(&self, name: &str) -> Result<File, LogError> {
        let deadline = Instant::now() + Duration::from_secs(BUSY_TIMEOUT_S);
        loop {
            if let Some(file) = self.try_lock(name)? {
                return Ok(file);
            }
            if Instant::now() >= deadline {
                return Err(self.busy());
            }
            pause();
        }
    }

    /// The result, its failure by the name that callers branch on.
    pub(super) fn named<T, F: Into<Failure>>(&self, result: Result<T, F>) -> Result<T, LogError> {
        result.map_err(|failure| match failure.into() {
            Failure::Log(error) => error,
            Failure::Sqlite(error) => self.explain(&error),
            Failure::Damaged(slot, first) => {
                let table = slot.table();
                self.unusable(format!("{LOG_FILE} is damaged: the records from offset {first} on in its table {table}"))
            }
        })
    }

    /// The log in this directory cannot be used.
    pub(super) fn unusable(&self, reason: String) -> LogError {
        LogError::Embedded { path: self.dir.display().to_string(), reason }
    }

    fn busy(&self) -> LogError {
        let dir = self.dir.display();
        LogError::Unreachable(format!("other processes kept the log in {dir} busy for {BUSY_TIMEOUT_S} s"))
    }

    fn explain(&self, error: &rusqlite::Error) -> LogError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => self.busy(),
            Some(ErrorCode::DiskFull) => self.unusable("the disk is full".to_owned()),
            Some(ErrorCode::NotADatabase) => self.unusable(format!("{LOG_FILE} is not a log of partyline")),
            Some(ErrorCode::DatabaseCorrupt) => self.unusable(format!("{LOG_FILE} is corrupt ({error})")),
            _ => self.unusable(error.to_string()),
        }
    }
}

/// SQLite's busy handler: whether to try once more, after a pause.
pub(super) fn keep_waiting(tries: i32) -> bool {
    pause();
    u128::from(tries.unsigned_abs()) * BUSY_PAUSE.as_millis() < u128::from(BUSY_TIMEOUT_S) * 1_000
}

fn pause() {
    let nobody_rings = Bell::default();
    nobody_rings.wait(0, BUSY_PAUSE);
}
