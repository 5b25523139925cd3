//! Where a worker's socket is. The system allows about 100 bytes of path, so a longer one is reached through a link.

use std::{
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// What fits every system's `sun_path`, with its final zero.
const PATH_BYTES_MAX: usize = 100;
const NAME: &str = "socket";

/// The way to a socket, to be held while it is bound or connected to.
pub(super) struct Place {
    path: PathBuf,
    _link: Option<TempDir>,
}

impl Place {
    /// The socket in a view's folder.
    ///
    /// # Errors
    /// If a link to the folder is needed and cannot be made.
    pub fn of(dir: &Path) -> io::Result<Self> {
        let path = dir.join(NAME);
        if path.as_os_str().len() <= PATH_BYTES_MAX {
            return Ok(Self { path, _link: None });
        }
        let link = tempfile::Builder::new().prefix("partyline").tempdir()?;
        let short = link.path().join("view");
        symlink(std::path::absolute(dir)?, &short)?;
        Ok(Self { path: short.join(NAME), _link: Some(link) })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
