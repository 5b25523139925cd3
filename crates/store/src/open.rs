//! Opening: what is looked at before a store is trusted.

use std::{fs, path::Path, sync::Arc};

use crate::{
    database::{Database, MovedAside, Opened, Options},
    error::StoreError,
    identity::Identity,
    meta::{self, Meta},
    place::{Mark, Place},
    shared::{Base, guarded},
};

/// How often sled hands what it has to the system by itself, in milliseconds.
const FLUSH_EVERY_MS: u64 = 500;

/// [`Database::open`] on a machine whose boot has this id.
pub(crate) fn open(dir: &Path, identity: &Identity, options: Options, boot: &str) -> Result<Opened, StoreError> {
    let place = Place::take(dir)?;
    let found = match look(&place, boot) {
        Ok(None) => make(&place, identity, options, boot),
        Ok(Some(mark)) => enter(&place, &mark, Some(identity), options, boot),
        Err(error) => Err(error),
    };
    let reason = match found {
        Ok((db, meta)) => return Ok(Opened { database: database(db, place, meta, false), moved_aside: None }),
        Err(StoreError::Damaged { reason }) => reason,
        Err(error) => return Err(error),
    };
    let path = place.move_aside()?;
    tracing::warn!(from = %dir.display(), to = %path.display(), reason, "a store was moved aside");
    let (db, meta) = make(&place, identity, options, boot)?;
    Ok(Opened { database: database(db, place, meta, false), moved_aside: Some(MovedAside { path, reason }) })
}

/// [`Database::open_existing`] on a machine whose boot has this id.
pub(crate) fn open_existing(dir: &Path, options: Options, boot: &str) -> Result<Database, StoreError> {
    let missing = || StoreError::Missing { dir: dir.to_owned() };
    let doubtful = |error| match error {
        StoreError::Damaged { reason } => StoreError::Doubtful { dir: dir.to_owned(), reason },
        other => other,
    };
    if !dir.join("sled").is_dir() {
        return Err(missing());
    }
    let place = Place::take(dir)?;
    let mark = look(&place, boot).map_err(doubtful)?.ok_or_else(missing)?;
    let (db, meta) = enter(&place, &mark, None, options, boot).map_err(doubtful)?;
    Ok(database(db, place, meta, true))
}

/// How the store that is there was left, `None` if there is none. `Damaged` says why it must not be opened.
fn look(place: &Place, boot: &str) -> Result<Option<Mark>, StoreError> {
    let Ok(entries) = fs::read_dir(place.database()) else {
        return Ok(None);
    };
    let mark = match place.mark() {
        Some(Mark::Making) => return Ok(None),
        Some(mark @ Mark::Closed { .. }) => mark,
        Some(Mark::Open { boot: opened }) if opened == boot && !boot.is_empty() => Mark::Open { boot: opened },
        Some(Mark::Open { .. }) => return Err(StoreError::damaged("the machine stopped while it was open")),
        Some(Mark::Condemned { reason }) => return Err(StoreError::damaged(reason)),
        None => return Err(StoreError::damaged("how it was left is unknown")),
    };
    for entry in entries {
        let entry = entry.map_err(|e| StoreError::io("read", place.dir(), e))?;
        // sled cannot open a database whose snapshot was cut off while it was written.
        if entry.file_name().to_string_lossy().ends_with(".generating") {
            return Err(StoreError::damaged("a snapshot of it was cut off"));
        }
    }
    Ok(Some(mark))
}

/// Makes a database where there is none.
fn make(place: &Place, identity: &Identity, options: Options, boot: &str) -> Result<(sled::Db, Meta), StoreError> {
    place.set_mark(&Mark::Making)?;
    place.remove_database()?;
    let db = start(place, options)?;
    let meta = guarded(|| Ok(meta::create(&db, identity)))??;
    place.set_mark(&Mark::Open { boot: boot.to_owned() })?;
    Ok((db, meta))
}

/// Opens the database that is there, and leaves a mark if it cannot be used.
fn enter(
    place: &Place,
    mark: &Mark,
    wanted: Option<&Identity>,
    options: Options,
    boot: &str,
) -> Result<(sled::Db, Meta), StoreError> {
    place.set_mark(&Mark::Open { boot: boot.to_owned() })?;
    let entered = examine(place, mark, wanted, options);
    if let Err(StoreError::Damaged { reason }) = &entered {
        place.set_mark(&Mark::Condemned { reason: reason.clone() })?;
    }
    entered
}

/// Checks that the database is all there, and what is wanted.
fn examine(
    place: &Place,
    mark: &Mark,
    wanted: Option<&Identity>,
    options: Options,
) -> Result<(sled::Db, Meta), StoreError> {
    let db = start(place, options)?;
    let meta = guarded(|| Ok(meta::load(&db)))??;
    let checkpoints = meta.checkpoints;
    if matches!(mark, Mark::Closed { checkpoints: closed } if *closed != checkpoints) {
        return Err(StoreError::damaged(format!("it is at checkpoint {checkpoints}, but was closed at another")));
    }
    let Some(wanted) = wanted else {
        return Ok((db, meta));
    };
    if meta.identity.generation != wanted.generation {
        close(db, place, checkpoints)?;
        return Err(StoreError::Generation {
            dir: place.dir().to_owned(),
            found: meta.identity.generation,
            wanted: wanted.generation.clone(),
        });
    }
    match meta.identity.difference(wanted) {
        Some(difference) => Err(StoreError::damaged(difference)),
        None => Ok((db, meta)),
    }
}

/// sled itself; on damaged files it may panic.
fn start(place: &Place, options: Options) -> Result<sled::Db, StoreError> {
    if !place.wait_for_release() {
        return Err(StoreError::InUse { dir: place.dir().to_owned() });
    }
    let config = sled::Config::new()
        .path(place.database())
        .cache_capacity(options.sled_cache_bytes)
        .flush_every_ms(Some(FLUSH_EVERY_MS))
        .use_compression(false);
    guarded(|| config.open()).map_err(|error| match error {
        // sled has no kind of its own for this; it says nothing against what is in the store.
        StoreError::Damaged { reason } if reason.contains("could not acquire lock") => {
            StoreError::InUse { dir: place.dir().to_owned() }
        }
        other => other,
    })
}

/// Drops the database, puts its files on the disk, and says so.
pub(crate) fn close(db: sled::Db, place: &Place, checkpoints: u64) -> Result<(), StoreError> {
    drop(db);
    if !place.wait_for_release() {
        return Err(StoreError::InUse { dir: place.dir().to_owned() });
    }
    place.sync()?;
    place.set_mark(&Mark::Closed { checkpoints })
}

fn database(db: sled::Db, place: Place, meta: Meta, read_only: bool) -> Database {
    Database { base: Arc::new(Base::new(db, place, meta.checkpoints, read_only)), identity: meta.identity }
}
