//! The folder of a store: who may use it, whether it was left in order, and moving it aside.
//!
//! `<dir>/sled` is the database, `<dir>/journals` what journals have in files of their own, `<dir>/mark` says how the
//! store was left. `<dir>.lock` is beside the folder, so that the lock stays with the name when the folder is moved. The
//! mark is what tells a killed process (nothing that was handed to the system is lost) from a machine that stopped
//! (anything may be): it names the boot it was written in.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::error::StoreError;

const MARK_FORMAT: &str = "partyline-store 1";
/// For background threads of a database that this process has just dropped: they keep its file a moment longer.
const RELEASE_WAIT: Duration = Duration::from_secs(5);
/// A reason in the mark is cut here.
const REASON_CHARS: usize = 500;

/// How a store was left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It is being made: there is nothing in it yet.
    Making,
    /// Everything up to the last of so many checkpoints is on the disk.
    Closed { checkpoints: u64 },
    /// Opened in this boot of the machine, and not closed.
    Open { boot: String },
    /// Something wrong was found in it.
    Condemned { reason: String },
}

/// A folder that this process holds.
pub(crate) struct Place {
    dir: PathBuf,
    /// Locked as long as this is alive.
    _lock: File,
}

/// The id of this boot of the machine; empty where the system does not tell, which counts as another boot.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

impl Place {
    /// Makes the folder if need be and takes it for this process.
    pub(crate) fn take(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(|e| StoreError::io("make the folder", dir, e))?;
        let path = beside(dir, ".lock");
        let lock = File::create(&path).map_err(|e| StoreError::io("make", &path, e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { dir: dir.to_owned() }),
            Err(TryLockError::Error(e)) => Err(StoreError::io("lock", &path, e)),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join("sled")
    }

    /// Where journals have their files.
    pub(crate) fn journals(&self) -> PathBuf {
        self.dir.join("journals")
    }

    /// Removes a database that was never finished.
    pub(crate) fn remove_database(&self) -> Result<(), StoreError> {
        [self.database(), self.journals()].iter().try_for_each(|dir| match fs::remove_dir_all(dir) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(StoreError::io("remove", dir, e)),
            _ => Ok(()),
        })
    }

    /// Removes snapshots that a killed process was still writing. sled would take one for its newest and refuse the
    /// database; the one before, and the log since then, are all there.
    pub(crate) fn remove_unfinished_snapshots(&self) -> Result<(), StoreError> {
        let Ok(entries) = fs::read_dir(self.database()) else {
            return Ok(());
        };
        for entry in entries {
            let path = entry.map_err(|e| StoreError::io("read", &self.dir, e))?.path();
            if path.extension().is_some_and(|extension| extension == "generating") {
                fs::remove_file(&path).map_err(|e| StoreError::io("remove", &path, e))?;
            }
        }
        Ok(())
    }

    /// What the mark says; `None` if there is none or it is not one.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let text = fs::read_to_string(self.dir.join("mark")).ok()?;
        let line = text.strip_prefix(MARK_FORMAT)?.strip_prefix('\n')?.strip_suffix('\n')?;
        match line.split_once(' ') {
            None if line == "making" => Some(Mark::Making),
            Some(("closed", checkpoints)) => Some(Mark::Closed { checkpoints: checkpoints.parse().ok()? }),
            Some(("open", boot)) => Some(Mark::Open { boot: boot.to_owned() }),
            Some(("condemned", reason)) => Some(Mark::Condemned { reason: reason.to_owned() }),
            _ => None,
        }
    }

    /// Replaces the mark, on the disk before this returns.
    pub(crate) fn set_mark(&self, mark: &Mark) -> Result<(), StoreError> {
        let line = match mark {
            Mark::Making => "making".to_owned(),
            Mark::Closed { checkpoints } => format!("closed {checkpoints}"),
            Mark::Open { boot } => format!("open {boot}"),
            Mark::Condemned { reason } => {
                format!(
                    "condemned {}",
                    reason.replace(char::is_control, " ").chars().take(REASON_CHARS).collect::<String>()
                )
            }
        };
        let (new, path) = (self.dir.join("mark.new"), self.dir.join("mark"));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(format!("{MARK_FORMAT}\n{line}\n").as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|e| StoreError::io("write", &path, e))
    }

    /// Waits until no thread of a dropped database holds its file any more; `false` if one still does.
    pub(crate) fn wait_for_release(&self) -> bool {
        let Ok(file) = File::open(self.database().join("db")) else {
            return true;
        };
        if file.try_lock().is_ok() {
            return true;
        }
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let released = file.lock().is_ok();
            drop(file); // its lock must be gone before anybody hears of it
            sender.send(released)
        });
        receiver.recv_timeout(RELEASE_WAIT).unwrap_or(false)
    }

    /// Renames the folder to `<dir>.aside-<n>`, the first that is free, and makes an empty one.
    pub(crate) fn move_aside(&self) -> Result<PathBuf, StoreError> {
        let mut number = 1_u64;
        let aside = loop {
            let candidate = beside(&self.dir, &format!(".aside-{number}"));
            match fs::symlink_metadata(&candidate) {
                Err(e) if e.kind() == ErrorKind::NotFound => break candidate,
                _ => number += 1,
            }
        };
        fs::rename(&self.dir, &aside).map_err(|e| StoreError::io("move aside", &self.dir, e))?;
        fs::create_dir_all(&self.dir).map_err(|e| StoreError::io("make the folder", &self.dir, e))?;
        Ok(aside)
    }
}

/// Puts every file of a folder on the disk itself.
pub(crate) fn sync(dir: &Path) -> Result<(), StoreError> {
    sync_tree(dir).map_err(|(path, e)| StoreError::io("sync", &path, e))
}

fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = dir.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sync_tree(path: &Path) -> Result<(), (PathBuf, std::io::Error)> {
    let failed = |e| (path.to_owned(), e);
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(failed)? {
            sync_tree(&entry.map_err(failed)?.path())?;
        }
    }
    File::open(path).and_then(|file| file.sync_all()).map_err(failed)
}
