//! Where a worker keeps what in the data directory.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::WorkError;

/// The folders of a data directory.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The data directory `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The data directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The projector's database, with a store for each partition.
    pub fn project_store(&self) -> PathBuf {
        self.root.join("project").join("store")
    }

    /// The folder of a service's view: its store, and the socket on which a running worker answers.
    pub fn view(&self, service: &str) -> PathBuf {
        self.root.join("view").join(service)
    }

    /// The store of a service's view.
    pub fn view_store(&self, service: &str) -> PathBuf {
        self.view(service).join("store")
    }

    /// The embedded log, unless it is put elsewhere.
    pub fn embedded_log(&self) -> PathBuf {
        self.root.join("log")
    }
}

/// The id under which this data directory's projector joins the group: made once, the same after every restart.
///
/// # Errors
/// If it can be neither read nor written.
pub fn member_id(layout: &Layout, fresh: impl FnOnce() -> String) -> Result<String, WorkError> {
    let path = layout.root().join("member");
    let failed = |source| WorkError::File { path: path.display().to_string(), source };
    match fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    fs::create_dir_all(layout.root()).map_err(failed)?;
    let id = fresh();
    let draft = path.with_extension("new");
    fs::write(&draft, &id).and_then(|()| fs::rename(&draft, &path)).map_err(failed)?;
    Ok(id)
}
