//! What can go wrong with a store, by what the caller does about it.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// Why a store cannot be opened or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no store in this folder ([`Database::open_existing`](crate::Database::open_existing) only).
    #[error("there is no store in {}", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// Another process, or a table that this one still holds, uses the store.
    #[error("the store in {} is in use", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// The store belongs to another generation of the rules: neither opened nor moved aside.
    #[error("the store in {} is of generation {found}, this program is of generation {wanted}", dir.display())]
    Generation {
        /// The folder.
        dir: PathBuf,
        /// What the store says.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// The store cannot be trusted and was asked for read-only, so it was left where it is.
    #[error("the store in {} cannot be trusted: {reason}", dir.display())]
    Doubtful {
        /// The folder.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
    /// What is on disk is not what was written. The store is marked, and moved aside when it is opened next.
    #[error("the store is damaged: {reason}")]
    Damaged {
        /// What was found.
        reason: String,
    },
    /// The disk refused: no space, no permission and the like.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// An earlier call failed: open the store anew.
    #[error("the store failed before and must be opened again")]
    Broken,
    /// A key, record or position is over its bound.
    #[error("{what} of {bytes} bytes, at most {bound} are possible")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The bound.
        bound: usize,
    },
    /// The caller's mistake: the store was not used as its documentation says.
    #[error("the store was used wrongly: {0}")]
    Misuse(String),
}

impl StoreError {
    pub(crate) fn io(what: &str, path: &Path, source: io::Error) -> Self {
        Self::Io { what: format!("cannot {what} {}", path.display()), source }
    }

    pub(crate) fn no_thread(source: io::Error) -> Self {
        Self::Io { what: "beginning a thread".into(), source }
    }

    pub(crate) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged { reason: reason.into() }
    }

    /// Sorts sled's errors: what the disk refused may pass; everything else says that the data is not what was written.
    pub(crate) fn from_sled(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(source) if is_refusal(&source) => {
                Self::Io { what: "the disk refused the database's access".into(), source }
            }
            other => Self::damaged(other.to_string()),
        }
    }
}

/// Says whether the system declined the operation, as opposed to having found something wrong in a file.
fn is_refusal(error: &io::Error) -> bool {
    const TOO_MANY_OPEN_FILES: [i32; 2] = [23, 24]; // ENFILE, EMFILE: no ErrorKind has them
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::FileTooLarge
            | ErrorKind::OutOfMemory
            | ErrorKind::Interrupted
            | ErrorKind::TimedOut
    ) || error.raw_os_error().is_some_and(|code| TOO_MANY_OPEN_FILES.contains(&code))
}
