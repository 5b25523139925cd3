//! What is moved aside, what is refused, and what is trusted.

use std::{fs, sync::mpsc, thread, time::Duration};

use super::*;
use crate::place::Place;

fn make(dir: &Path) {
    let mut store = reopen(dir);
    let mut table = store.table("t", CODEC).unwrap();
    for number in 0..50_u8 {
        *table.write(&[b'k', number]).unwrap() = vec![number; 100];
    }
    store.checkpoint(b"position", &mut [&mut table]).unwrap();
    drop(table);
    store.close().unwrap();
}

/// Changes something behind the store's back.
fn in_sled(dir: &Path, change: impl FnOnce(&sled::Tree)) {
    let db = sled::open(dir.join("sled")).unwrap();
    change(&db.open_tree("meta").unwrap());
    db.flush().unwrap();
}

fn with(change: impl FnOnce(&mut Identity)) -> Identity {
    let mut identity = identity();
    change(&mut identity);
    identity
}

#[test]
fn another_identity_is_moved_aside() {
    for (identity, reason) in [
        (with(|i| i.role = "view:desk".into()), "its role is project, not view:desk"),
        (with(|i| i.log_id = "log2".into()), "its log is log, not log2"),
        (with(|i| i.topic = "commands2".into()), "its topic is commands, not commands2"),
        (with(|i| i.format = 2), "its format is 1, not 2"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        make(&path);
        let opened = open::open(&path, &identity, OPTIONS, BOOT).unwrap();
        let aside = opened.moved_aside.unwrap();
        assert_eq!((aside.reason.as_str(), aside.path), (reason, dir.path().join("store.aside-1")));
        assert_eq!(opened.database.store("s").unwrap().position(), None);
        assert!(rows(&opened.database.store("s").unwrap().table("t", CODEC).unwrap()).is_empty());
        opened.database.close().unwrap();
        assert_eq!(open::open(&path, &identity, OPTIONS, BOOT).unwrap().moved_aside, None, "it is of the new identity");
    }
}

/// What somebody does to a store's folder, and what is said of it.
type Spoil = (&'static str, fn(&Path));

#[test]
fn what_is_doubtful_is_moved_aside() {
    let cases: &[Spoil] = &[
        ("how it was left is unknown", |dir| fs::remove_file(dir.join("mark")).unwrap()),
        ("how it was left is unknown", |dir| fs::write(dir.join("mark"), "partyline-store 1\nclos").unwrap()),
        ("how it was left is unknown", |dir| fs::write(dir.join("mark"), "partyline-store 2\nclosed 1\n").unwrap()),
        ("but was closed at another", |dir| fs::write(dir.join("mark"), "partyline-store 1\nclosed 2\n").unwrap()),
        ("the machine stopped", |dir| fs::write(dir.join("mark"), "partyline-store 1\nopen boot-0\n").unwrap()),
        ("the machine stopped", |dir| fs::write(dir.join("mark"), "partyline-store 1\nopen \n").unwrap()),
        ("for a reason", |dir| fs::write(dir.join("mark"), "partyline-store 1\ncondemned for a reason\n").unwrap()),
        ("its identity cannot be read", |dir| {
            in_sled(dir, |meta| drop(meta.insert("identity", b"nonsense".as_slice()).unwrap()));
        }),
        ("its number of checkpoints cannot be read", |dir| {
            in_sled(dir, |meta| {
                let mut progress = meta.get("checkpoints").unwrap().unwrap().to_vec();
                progress[4] ^= 1;
                meta.insert("checkpoints", progress).unwrap();
            });
        }),
        ("it does not say whose it is", |dir| in_sled(dir, |meta| drop(meta.remove("checkpoints").unwrap()))),
        ("", |dir| fs::write(dir.join("sled/conf"), "nonsense that is long enough").unwrap()),
        // sled takes this one for an empty database.
        ("whose it is", |dir| fs::write(dir.join("sled/db"), vec![0x55; 600_000]).unwrap()),
        ("", |dir| fs::File::options().write(true).open(dir.join("sled/db")).unwrap().set_len(600).unwrap()),
    ];
    for (number, (reason, spoil)) in cases.iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        make(&path);
        spoil(&path);
        match open::open_existing(&path, OPTIONS, BOOT) {
            Err(StoreError::Doubtful { reason: found, .. }) => assert!(found.contains(reason), "{number}: {found}"),
            other => panic!("{number}: {:?}", other.map(|_| ())),
        }
        assert!(!dir.path().join("store.aside-1").exists(), "{number}: reading moves nothing");
        let aside = open(&path).unwrap().moved_aside.unwrap_or_else(|| panic!("{number}: {reason}"));
        assert!(aside.reason.contains(reason) && aside.path.is_dir(), "{number}: {}", aside.reason);
        make(&path);
    }
}

#[test]
fn a_snapshot_that_was_cut_off_is_no_loss() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    make(&path);
    let cut_off = path.join("sled/snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&cut_off, "half a snapshot").unwrap();
    let opened = open(&path).unwrap();
    assert_eq!(opened.moved_aside, None);
    assert_eq!(opened.database.store("s").unwrap().position(), Some(b"position".as_slice()));
    assert!(!cut_off.exists());
}

#[test]
fn a_store_that_was_never_finished_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    make(&path);
    fs::write(path.join("mark"), "partyline-store 1\nmaking\n").unwrap();
    fs::write(path.join("sled/db"), "half").unwrap();
    fs::create_dir(path.join("journals")).unwrap();
    fs::write(path.join("journals/s.j"), "half").unwrap();
    assert!(matches!(open::open_existing(&path, OPTIONS, BOOT), Err(StoreError::Missing { .. })));
    assert_eq!(reopen(&path).position(), None);
    assert!(!path.join("journals").exists());
}

#[test]
fn damage_that_is_met_later_moves_it_aside_at_the_next_opening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut store = reopen(&path);
    let mut table = store.table("t", CODEC).unwrap();
    *table.write(b"key").unwrap() = b"undecodable".to_vec();
    store.checkpoint(b"1", &mut [&mut table]).unwrap();
    drop(table);
    let mut table = store.table("t", CODEC).unwrap();
    let error = table.read(b"key").unwrap_err();
    assert_eq!(error.to_string(), "the store is damaged: the record key of table/t does not decode: it says so");
    drop(table);
    assert!(matches!(store.close(), Err(StoreError::Broken)));
    let aside = open(&path).unwrap().moved_aside.unwrap();
    assert_eq!(aside.reason, "the record key of table/t does not decode: it says so");
}

#[test]
fn another_generation_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    make(&path);
    let other = with(|i| i.generation = "v2".into());
    match open::open(&path, &other, OPTIONS, BOOT) {
        Err(StoreError::Generation { found, wanted, .. }) => assert_eq!((&*found, &*wanted), ("v1", "v2")),
        other => panic!("{:?}", other.map(|_| ())),
    }
    // Not even the mark of its clean stop is gone: a machine that stops now costs nothing.
    let opened = open::open(&path, &identity(), OPTIONS, "boot-2").unwrap();
    assert_eq!((opened.moved_aside, opened.database.store("s").unwrap().position()), (None, Some(&b"position"[..])));
}

#[test]
fn a_clean_stop_outlives_the_machine_and_a_killed_process_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    make(&path);
    let opened = open::open(&path, &identity(), OPTIONS, "boot-2").unwrap();
    assert_eq!((opened.moved_aside, opened.database.store("s").unwrap().position()), (None, Some(&b"position"[..])));
    drop(opened.database); // not closed
    let opened = open::open(&path, &identity(), OPTIONS, "boot-2").unwrap();
    assert_eq!((opened.moved_aside, opened.database.store("s").unwrap().position()), (None, Some(&b"position"[..])));
    drop(opened.database);
    for (boot, aside) in [("boot-3", "store.aside-1"), ("boot-4", "store.aside-2")] {
        let opened = open::open(&path, &identity(), OPTIONS, boot).unwrap();
        assert_eq!(opened.moved_aside.unwrap().path, dir.path().join(aside));
    }
}

#[test]
fn a_store_has_one_user_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let in_use = |path: &Path| {
        assert!(matches!(open(path), Err(StoreError::InUse { .. })));
        assert!(matches!(open::open_existing(path, OPTIONS, BOOT), Err(StoreError::InUse { .. })));
    };
    let store = reopen(&path);
    in_use(&path);
    let table = store.table("t", CODEC).unwrap();
    drop(store);
    in_use(&path);
    drop(table);
    drop(reopen(&path));
}

/// Threads of a database that was dropped may hold its file for a moment longer.
#[test]
fn a_database_that_is_being_let_go_of_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    make(&path);
    let place = Place::take(&path).unwrap();
    for _ in 0..50 {
        let held = fs::File::open(path.join("sled/db")).unwrap();
        held.lock().unwrap();
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let place = &place;
            scope.spawn(move || {
                assert!(place.wait_for_release());
                // Whoever was told so gets it at once.
                let free = fs::File::open(place.database().join("db")).unwrap().try_lock().is_ok();
                sender.send(free).unwrap();
            });
            assert!(receiver.recv_timeout(Duration::from_millis(5)).is_err(), "it is held");
            drop(held);
            assert!(receiver.recv().unwrap());
        });
    }
}

#[test]
fn reading_needs_a_store_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let read = || open::open_existing(&path, OPTIONS, BOOT).map(Alone::from);
    assert!(matches!(read(), Err(StoreError::Missing { .. })));
    fs::create_dir(&path).unwrap();
    assert!(matches!(read(), Err(StoreError::Missing { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "not even a lock was made");
    make(&path);
    let mut store = read().unwrap();
    assert_eq!(store.position(), Some(&b"position"[..]));
    let mut table = store.table("t", CODEC).unwrap();
    assert_eq!(rows(&table).len(), 50);
    assert!(matches!(store.checkpoint(b"2", &mut [&mut table]), Err(StoreError::Misuse(_))));
    drop(table);
    store.close().unwrap();
}
