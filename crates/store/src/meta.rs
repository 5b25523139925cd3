//! What a database says of itself: whose it is, and of each of its stores, what the last checkpoint says.
//!
//! A checkpoint is there when its [`Progress`] is: the position and the manifests of all parts, of every store that was
//! due, in one atomic write after everything they name has been written.

use std::collections::BTreeMap;

use crate::{
    error::StoreError,
    fields::{Reader, Writer},
    identity::Identity,
};

/// The layout of everything in this crate that is on disk.
const LAYOUT: u64 = 3;

const TREE: &str = "meta";
const IDENTITY: &str = "identity";
const CHECKPOINTS: &str = "checkpoints";

/// How far a store has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// What the last checkpoint said of its position; `None` before the first.
    pub(crate) position: Option<Vec<u8>>,
    /// Each part's manifest, by its name.
    pub(crate) manifests: BTreeMap<String, Vec<u8>>,
}

/// What is said of all stores together.
pub(crate) struct Meta {
    pub(crate) identity: Identity,
    /// How many checkpoints there ever were.
    pub(crate) checkpoints: u64,
}

impl Progress {
    fn encode(&self) -> Vec<u8> {
        let fields = match &self.position {
            Some(position) => Writer::default().number(1).bytes(position),
            None => Writer::default().number(0),
        };
        let fields = fields.number(self.manifests.len() as u64);
        let name =
            |fields: Writer, (name, manifest): (&String, &Vec<u8>)| fields.bytes(name.as_bytes()).bytes(manifest);
        self.manifests.iter().fold(fields, name).seal()
    }

    fn decode(sealed: &[u8]) -> Option<Self> {
        let mut fields = Reader::open(sealed)?;
        let position = match fields.number()? {
            0 => None,
            _ => Some(fields.bytes()?.to_vec()),
        };
        let manifests = (0..fields.number()?).map(|_| Some((fields.text()?, fields.bytes()?.to_vec())));
        Some(Self { position, manifests: manifests.collect::<Option<_>>()? })
    }

    /// What the last checkpoint of a store says.
    pub(crate) fn load(db: &sled::Db, store: &str) -> Result<Self, StoreError> {
        let tree = db.open_tree(TREE).map_err(StoreError::from_sled)?;
        match tree.get(key(store)).map_err(StoreError::from_sled)? {
            Some(sealed) => Self::decode(&sealed)
                .ok_or_else(|| StoreError::damaged(format!("the progress of its store {store} cannot be read"))),
            None => Ok(Self::default()),
        }
    }
}

fn key(store: &str) -> String {
    format!("store/{store}")
}

/// Writes the progress of stores, and how many checkpoints there are now, atomically.
pub(crate) fn save<'a>(
    db: &sled::Db,
    checkpoints: u64,
    stores: impl Iterator<Item = (&'a str, &'a Progress)>,
) -> sled::Result<()> {
    let mut batch = sled::Batch::default();
    stores.for_each(|(store, progress)| batch.insert(key(store).into_bytes(), progress.encode()));
    batch.insert(CHECKPOINTS, Writer::default().number(checkpoints).seal());
    db.open_tree(TREE)?.apply_batch(batch)
}

/// Reads what a database says of itself.
pub(crate) fn load(db: &sled::Db) -> Result<Meta, StoreError> {
    let tree = db.open_tree(TREE).map_err(StoreError::from_sled)?;
    let get = |key: &str| tree.get(key).map_err(StoreError::from_sled);
    let (Some(identity), Some(checkpoints)) = (get(IDENTITY)?, get(CHECKPOINTS)?) else {
        return Err(StoreError::damaged("it does not say whose it is"));
    };
    let unreadable = |what: &str| StoreError::damaged(format!("its {what} cannot be read"));
    let identity = decode_identity(&identity).ok_or_else(|| unreadable("identity"))?;
    let checkpoints = Reader::open(&checkpoints).and_then(|mut fields| fields.number());
    Ok(Meta { identity, checkpoints: checkpoints.ok_or_else(|| unreadable("number of checkpoints"))? })
}

/// An identity, if the layout is ours.
fn decode_identity(sealed: &[u8]) -> Option<Identity> {
    let mut fields = Reader::open(sealed)?;
    (fields.number()? == LAYOUT).then(|| Identity::decode(fields.bytes()?))?
}

/// Makes a new database's meta.
pub(crate) fn create(db: &sled::Db, identity: &Identity) -> Result<Meta, StoreError> {
    let tree = db.open_tree(TREE).map_err(StoreError::from_sled)?;
    let sealed = Writer::default().number(LAYOUT).bytes(&identity.encode()).seal();
    tree.insert(IDENTITY, sealed).map_err(StoreError::from_sled)?;
    save(db, 0, std::iter::empty()).map_err(StoreError::from_sled)?;
    tree.flush().map_err(StoreError::from_sled)?;
    Ok(Meta { identity: identity.clone(), checkpoints: 0 })
}
