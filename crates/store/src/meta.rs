//! What a store says of itself: whose it is, and which checkpoints are whole.
//!
//! Every attempt at a checkpoint has a number that was never used before; it is written down as begun before the first
//! page is written, and as committed, in one atomic write together with the position, after the last. What an attempt
//! wrote counts only once the attempt is committed; one that never got there is remembered as failed for ever, as its
//! pages stay where they are until they happen to be overwritten.

use crate::{
    error::StoreError,
    fields::{Reader, Writer},
    identity::Identity,
};

/// Attempts that never completed, which a store remembers; with one more it is moved aside.
pub(crate) const FAILED_ATTEMPTS: usize = 4_096;
/// The layout of everything in this crate that is on disk.
const LAYOUT: u64 = 1;

const TREE: &str = "meta";
const IDENTITY: &str = "identity";
const PROGRESS: &str = "progress";
const FAILED: &str = "failed";

/// How far the checkpoints are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The highest attempt ever begun.
    pub(crate) begun: u64,
    /// The last attempt that completed; 0 before the first.
    pub(crate) committed: u64,
    /// What it said of its position.
    pub(crate) position: Option<Vec<u8>>,
}

/// Everything of it, as it was when the store was opened.
pub(crate) struct Meta {
    pub(crate) identity: Identity,
    pub(crate) progress: Progress,
    /// Sorted; nothing that these wrote counts.
    pub(crate) failed: Vec<u64>,
}

impl Progress {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let fields = Writer::default().number(LAYOUT).number(self.begun).number(self.committed);
        match &self.position {
            Some(position) => fields.number(1).bytes(position),
            None => fields.number(0),
        }
        .seal()
    }

    fn decode(sealed: &[u8]) -> Option<Self> {
        let mut fields = Reader::open(sealed)?;
        if fields.number()? != LAYOUT {
            return None;
        }
        Some(Self {
            begun: fields.number()?,
            committed: fields.number()?,
            position: match fields.number()? {
                0 => None,
                _ => Some(fields.bytes()?.to_vec()),
            },
        })
    }

    /// Writes it, atomically.
    pub(crate) fn save(&self, db: &sled::Db) -> sled::Result<()> {
        db.open_tree(TREE)?.insert(PROGRESS, self.encode()).map(drop)
    }
}

/// Reads what a store says of itself, and writes down an attempt that was cut off.
pub(crate) fn load(db: &sled::Db) -> Result<Meta, StoreError> {
    let tree = db.open_tree(TREE).map_err(StoreError::from_sled)?;
    let get = |key: &str| tree.get(key).map_err(StoreError::from_sled);
    let (Some(identity), Some(progress)) = (get(IDENTITY)?, get(PROGRESS)?) else {
        return Err(StoreError::damaged("it does not say whose it is"));
    };
    let unreadable = |what: &str| StoreError::damaged(format!("its {what} cannot be read"));
    let identity = Identity::decode(&identity).ok_or_else(|| unreadable("identity"))?;
    let progress = Progress::decode(&progress).ok_or_else(|| unreadable("progress"))?;
    let mut failed = match get(FAILED)? {
        Some(sealed) => decode_failed(&sealed).ok_or_else(|| unreadable("list of failed checkpoints"))?,
        None => Vec::new(),
    };
    if progress.begun > progress.committed && failed.last() != Some(&progress.begun) {
        failed.push(progress.begun);
        if failed.len() > FAILED_ATTEMPTS {
            return Err(StoreError::damaged(format!("more than {FAILED_ATTEMPTS} of its checkpoints were cut off")));
        }
        tree.insert(FAILED, encode_failed(&failed)).map_err(StoreError::from_sled)?;
        tree.flush().map_err(StoreError::from_sled)?;
    }
    Ok(Meta { identity, progress, failed })
}

/// Makes a new store's meta.
pub(crate) fn create(db: &sled::Db, identity: &Identity) -> Result<Meta, StoreError> {
    let meta = Meta { identity: identity.clone(), progress: Progress::default(), failed: Vec::new() };
    let mut batch = sled::Batch::default();
    batch.insert(IDENTITY, identity.encode());
    batch.insert(PROGRESS, meta.progress.encode());
    let tree = db.open_tree(TREE).map_err(StoreError::from_sled)?;
    tree.apply_batch(batch).map_err(StoreError::from_sled)?;
    tree.flush().map_err(StoreError::from_sled)?;
    Ok(meta)
}

pub(crate) fn encode_failed(failed: &[u64]) -> Vec<u8> {
    failed.iter().fold(Writer::default().number(failed.len() as u64), |fields, attempt| fields.number(*attempt)).seal()
}

fn decode_failed(sealed: &[u8]) -> Option<Vec<u64>> {
    let mut fields = Reader::open(sealed)?;
    let count = fields.number()?;
    (0..count).map(|_| fields.number()).collect()
}
