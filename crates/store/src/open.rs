//! Opening: what is looked at before a store is trusted.

use std::{path::Path, sync::Arc};

use crate::{
    database::{Database, MovedAside, Opened, Options},
    engine::Engine,
    error::StoreError,
    identity::Identity,
    meta::{self, Meta},
    place::{self, Mark, Place},
    shared::Base,
};

/// [`Database::open`] on a machine whose boot has this id.
pub(crate) fn open(dir: &Path, identity: &Identity, options: Options, boot: &str) -> Result<Opened, StoreError> {
    let place = Place::take(dir)?;
    let found = match look(&place, boot) {
        Ok(None) => make(&place, identity, options, boot),
        Ok(Some(mark)) => enter(&place, &mark, Some(identity), options, boot),
        Err(error) => Err(error),
    };
    let reason = match found {
        Ok((engine, meta)) => return Ok(Opened { database: database(engine, place, meta, false), moved_aside: None }),
        Err(StoreError::Damaged { reason }) => reason,
        Err(error) => return Err(error),
    };
    let path = place.move_aside()?;
    tracing::warn!(from = %dir.display(), to = %path.display(), reason, "a store was moved aside");
    let (engine, meta) = make(&place, identity, options, boot)?;
    Ok(Opened { database: database(engine, place, meta, false), moved_aside: Some(MovedAside { path, reason }) })
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
    let (engine, meta) = enter(&place, &mark, None, options, boot).map_err(doubtful)?;
    Ok(database(engine, place, meta, true))
}

/// How the store that is there was left, `None` if there is none. `Damaged` says why it must not be opened.
fn look(place: &Place, boot: &str) -> Result<Option<Mark>, StoreError> {
    if !place.database().is_dir() {
        return Ok(None);
    }
    match place.mark() {
        Some(Mark::Making) => Ok(None),
        Some(mark @ Mark::Closed { .. }) => Ok(Some(mark)),
        Some(Mark::Open { boot: opened }) if opened == boot && !boot.is_empty() => {
            Ok(Some(Mark::Open { boot: opened }))
        }
        Some(Mark::Open { .. }) => Err(StoreError::damaged("the machine stopped while it was open")),
        Some(Mark::Condemned { reason }) => Err(StoreError::damaged(reason)),
        None => Err(StoreError::damaged("how it was left is unknown")),
    }
}

/// Makes a database where there is none.
fn make(place: &Place, identity: &Identity, options: Options, boot: &str) -> Result<(Engine, Meta), StoreError> {
    place.set_mark(&Mark::Making)?;
    place.remove_database()?;
    let engine = Engine::start(place, options)?;
    let meta = engine.call(|db| Ok(meta::create(db, identity)))??;
    place.set_mark(&Mark::Open { boot: boot.to_owned() })?;
    Ok((engine, meta))
}

/// Opens the database that is there, and leaves a mark if it cannot be used.
fn enter(
    place: &Place,
    mark: &Mark,
    wanted: Option<&Identity>,
    options: Options,
    boot: &str,
) -> Result<(Engine, Meta), StoreError> {
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
) -> Result<(Engine, Meta), StoreError> {
    let engine = Engine::start(place, options)?;
    let meta = engine.call(|db| Ok(meta::load(db)))??;
    let checkpoints = meta.checkpoints;
    if matches!(mark, Mark::Closed { checkpoints: closed } if *closed != checkpoints) {
        return Err(StoreError::damaged(format!("it is at checkpoint {checkpoints}, but was closed at another")));
    }
    let Some(wanted) = wanted else {
        return Ok((engine, meta));
    };
    if meta.identity.generation != wanted.generation {
        close(engine, place, checkpoints)?;
        return Err(StoreError::Generation {
            dir: place.dir().to_owned(),
            found: meta.identity.generation,
            wanted: wanted.generation.clone(),
        });
    }
    match meta.identity.difference(wanted) {
        Some(difference) => Err(StoreError::damaged(difference)),
        None => Ok((engine, meta)),
    }
}

/// Drops the database, puts its files on the disk, and says so; not those of one that nobody opens again.
pub(crate) fn close(engine: Engine, place: &Place, checkpoints: u64) -> Result<(), StoreError> {
    let is_scratch = engine.is_scratch();
    drop(engine);
    if is_scratch {
        return Ok(());
    }
    if !place.wait_for_release() {
        return Err(StoreError::InUse { dir: place.dir().to_owned() });
    }
    place::sync(place.dir())?;
    place.set_mark(&Mark::Closed { checkpoints })
}

fn database(engine: Engine, place: Place, meta: Meta, read_only: bool) -> Database {
    Database { base: Arc::new(Base::new(engine, place, meta.checkpoints, read_only)) }
}
