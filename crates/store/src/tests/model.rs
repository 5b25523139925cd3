//! Random histories of writes, appends, checkpoints and crashes, against plain maps.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use proptest::prelude::*;

use super::{Alone, Bytes, CODEC, GROWN, Grown, kept_rows, reopen, rows};
use crate::{Checkpoint, Due, Journal, Rows, Segment, StoreError, Table};

/// What the store must hold.
#[derive(Clone, Default, Debug, PartialEq)]
struct Model {
    records: BTreeMap<Bytes, Bytes>,
    grown: BTreeMap<Bytes, Grown>,
    rows: BTreeMap<Bytes, Bytes>,
    lists: BTreeMap<String, Vec<Bytes>>,
}

#[derive(Clone, Debug)]
enum Op {
    Write {
        key: Bytes,
        length: usize,
    },
    Grow {
        key: Bytes,
        length: usize,
    },
    Read {
        key: Bytes,
    },
    Put {
        key: Bytes,
        length: usize,
    },
    PutAll {
        rows: Vec<(Bytes, usize)>,
    },
    Tidy {
        max_bytes: usize,
    },
    Append {
        list: u8,
        length: usize,
        times: u8,
    },
    WriteBack,
    Trim,
    Checkpoint,
    /// A checkpoint that is under way until it is finished, or the process ends.
    Begin,
    /// More of it is encoded.
    GoOn {
        max_bytes: usize,
    },
    Allow,
    Finish,
    /// A checkpoint whose n-th write the disk refuses; then the store is opened again.
    Fault {
        writes: u64,
    },
    /// The process ends: what was not in a checkpoint is gone.
    Crash,
    Close,
}

fn op() -> impl Strategy<Value = Op> {
    let key = prop::collection::vec(0_u8..4, 0..3);
    let length = prop_oneof![3 => 0_usize..40, 1 => Just(7_000), 1 => Just(15_000)];
    prop_oneof![
        8 => (key.clone(), length.clone()).prop_map(|(key, length)| Op::Write { key, length }),
        12 => (key.clone(), prop_oneof![4 => 0_usize..40, 1 => Just(3_000)])
            .prop_map(|(key, length)| Op::Grow { key, length }),
        8 => (key.clone(), length.clone()).prop_map(|(key, length)| Op::Put { key, length }),
        4 => prop::collection::vec((key.clone(), length), 0..5).prop_map(|rows| Op::PutAll { rows }),
        6 => prop_oneof![Just(1_usize), Just(10_000), Just(1_000_000)].prop_map(|max_bytes| Op::Tidy { max_bytes }),
        6 => key.prop_map(|key| Op::Read { key }),
        8 => (0_u8..3, 1_usize..2_500, 1_u8..6).prop_map(|(list, length, times)| Op::Append { list, length, times }),
        1 => (0_u8..3).prop_map(|list| Op::Append { list, length: 14_000, times: 1 }),
        2 => Just(Op::WriteBack),
        2 => Just(Op::Trim),
        3 => Just(Op::Checkpoint),
        5 => Just(Op::Begin),
        8 => prop_oneof![Just(1_usize), Just(50), Just(400), Just(usize::MAX)].prop_map(|max_bytes| Op::GoOn { max_bytes }),
        2 => Just(Op::Allow),
        2 => Just(Op::Finish),
        3 => (0_u64..12).prop_map(|writes| Op::Fault { writes }),
        1 => Just(Op::Crash),
        1 => Just(Op::Close),
    ]
}

struct Run<'a> {
    dir: &'a Path,
    store: Alone,
    table: Table<Bytes>,
    grown: Table<Grown>,
    rows: Rows,
    journal: Journal,
    now: Model,
    /// As the last checkpoint has it, which scans see once it is on its way as a whole.
    written: Model,
    /// As the last one that counts has it.
    committed: Model,
    under_way: Option<UnderWay>,
    checkpoints: u64,
    ticket: u64,
    fill: u8,
}

struct UnderWay {
    checkpoint: Checkpoint,
    allowed: bool,
}

impl<'a> Run<'a> {
    fn new(dir: &'a Path) -> Self {
        let store = reopen(dir);
        let (table, journal) = (store.table("t", CODEC).unwrap(), store.journal("j").unwrap());
        let (grown, rows) = (store.table("g", GROWN).unwrap(), store.rows("r").unwrap());
        let (now, written, committed) = Default::default();
        let under_way = None;
        Self {
            dir,
            store,
            table,
            grown,
            rows,
            journal,
            now,
            written,
            committed,
            under_way,
            checkpoints: 0,
            ticket: 0,
            fill: 0,
        }
    }

    /// Opens the store again, as the process that ended left it.
    fn restart(self) -> Self {
        let Self { dir, store, table, grown, rows, journal, written, under_way, fill, .. } = self;
        let (mut committed, mut checkpoints) = (self.committed, self.checkpoints);
        if under_way.is_some_and(|UnderWay { checkpoint, allowed }| allowed && checkpoint.is_written()) {
            (committed, checkpoints) = (written, checkpoints + 1);
        }
        drop((table, grown, rows, journal, store));
        let (now, written) = (committed.clone(), committed.clone());
        let mut run = Self { now, written, committed, checkpoints, fill, ..Self::new(dir) };
        assert_eq!(
            run.store.position(),
            (checkpoints > 0).then_some(checkpoints.to_be_bytes()).as_ref().map(|p| &p[..])
        );
        run.check();
        run
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        let position = (self.checkpoints + 1).to_be_bytes();
        let Self { store: Alone { store, database }, table, grown, rows, journal, .. } = self;
        let due = Due { store, position: position.to_vec(), parts: vec![table, grown, rows, journal] };
        let checkpoint = database.begin_checkpoint(&mut [due])?;
        assert_eq!(self.store.position(), Some(&position[..]));
        self.under_way = Some(UnderWay { checkpoint, allowed: false });
        self.written = self.now.clone();
        Ok(())
    }

    fn go_on(&mut self, max_bytes: usize) -> Result<(), StoreError> {
        let Self { store: Alone { store, .. }, table, grown, rows, journal, under_way, .. } = self;
        let Some(UnderWay { checkpoint, .. }) = under_way else { return Ok(()) };
        let due = Due { store, position: Vec::new(), parts: vec![table, grown, rows, journal] };
        let is_written = checkpoint.go_on(&mut [due], max_bytes)?;
        assert!(is_written || max_bytes < usize::MAX);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.go_on(usize::MAX)?;
        let Some(UnderWay { checkpoint, .. }) = self.under_way.take() else { return Ok(()) };
        checkpoint.finish()?;
        self.checkpoints += 1;
        self.committed = self.written.clone();
        Ok(())
    }

    fn checkpoint(&mut self, writes: u64) -> bool {
        self.finish().unwrap();
        self.store.fault_after(writes);
        let done = self.begin().and_then(|()| self.finish()).is_ok();
        self.store.fault_after(u64::MAX);
        done
    }

    fn step(mut self, op: &Op) -> Self {
        match op {
            Op::Write { key, length } => {
                self.fill = self.fill.wrapping_add(1);
                let value = vec![self.fill; *length];
                self.table.write(key).unwrap().clone_from(&value);
                self.now.records.insert(key.clone(), value);
            }
            Op::Grow { key, length } => {
                self.fill = self.fill.wrapping_add(1);
                for grown in [self.grown.write(key).unwrap(), self.now.grown.entry(key.clone()).or_default()] {
                    grown.latest = vec![self.fill; 9];
                    grown.all.resize(grown.all.len() + length, self.fill);
                }
            }
            Op::Read { key } => {
                let grown = self.now.grown.get(key).map(|grown| &grown.all).cloned().unwrap_or_default();
                let read = self.grown.read(key).unwrap();
                assert_eq!(read.all, grown);
                // Whoever lets go of what is kept finds it again.
                let kept = read.kept;
                let stored = self.grown.stored(key).unwrap().map(|stored| Grown::read(&stored).unwrap());
                assert_eq!(stored.unwrap_or_default().all[..kept], grown[..kept]);
                assert_eq!(Some(self.table.read(key).unwrap()), self.now.records.get(key).or(Some(&vec![])));
            }
            Op::Put { key, length } => {
                self.fill = self.fill.wrapping_add(1);
                let value = vec![self.fill; *length];
                self.rows.put(key, &value).unwrap();
                self.now.rows.insert(key.clone(), value);
            }
            Op::PutAll { rows } => {
                let mut segment = Segment::default();
                for (key, length) in rows {
                    self.fill = self.fill.wrapping_add(1);
                    let value = vec![self.fill; *length];
                    segment.put(|bytes| bytes.extend(key), |bytes| bytes.extend(&value));
                    self.now.rows.insert(key.clone(), value);
                }
                self.rows.put_all(segment).unwrap();
            }
            Op::Tidy { max_bytes } => {
                self.table.tidy(*max_bytes).unwrap();
                self.grown.tidy(*max_bytes).unwrap();
                self.rows.tidy(*max_bytes).unwrap();
                self.journal.tidy(*max_bytes).unwrap();
            }
            Op::Append { list, length, times } => self.append(&format!("list-{list}"), *length, *times),
            Op::WriteBack => {
                // What the last call sealed is committed now, what this one seals is not.
                self.journal.write_back(self.ticket).unwrap();
                self.ticket += 1;
                self.journal.seal(self.ticket);
            }
            Op::Trim => {
                self.table.trim(4_000);
                self.grown.trim(4_000);
            }
            Op::Checkpoint => assert!(self.checkpoint(u64::MAX)),
            Op::Begin if self.under_way.is_some() => assert!(matches!(self.begin(), Err(StoreError::Misuse(_)))),
            Op::Begin => self.begin().unwrap(),
            Op::GoOn { max_bytes } => self.go_on(*max_bytes).unwrap(),
            Op::Allow => {
                if let Some(UnderWay { checkpoint, allowed }) = &mut self.under_way {
                    checkpoint.allow();
                    *allowed = true;
                }
            }
            Op::Finish => self.finish().unwrap(),
            Op::Fault { writes } => {
                if !self.checkpoint(*writes) {
                    return self.restart();
                }
            }
            Op::Crash => return self.restart(),
            Op::Close => {
                assert!(self.checkpoint(u64::MAX));
                let Self {
                    dir, store, table, grown, rows, journal, now, written, committed, checkpoints, fill, ..
                } = self;
                drop((table, grown, rows, journal));
                store.close().unwrap();
                return Self { now, written, committed, checkpoints, fill, ..Self::new(dir) };
            }
        }
        self
    }

    fn append(&mut self, list: &str, length: usize, times: u8) {
        for _ in 0..times {
            self.fill = self.fill.wrapping_add(1);
            let records = self.now.lists.entry(list.to_owned()).or_default();
            let record = vec![self.fill; length];
            self.journal.append(list, records.len() as u64, &record).unwrap();
            records.push(record);
        }
    }

    /// Everything is as the model says, now and at the last checkpoint, whether or not it counts, once it is on its way as a
    /// whole.
    fn check(&mut self) {
        for (key, value) in &self.now.records {
            assert_eq!(self.table.read(key).unwrap(), value, "{key:?}");
        }
        let mut kept = self.written.records.clone();
        kept.retain(|_, value| !value.is_empty());
        assert_eq!(BTreeMap::from_iter(rows(&self.table)), kept);
        assert!(rows(&self.table).is_sorted());
        for (key, value) in self.now.grown.iter().filter(|(_, value)| !value.all.is_empty()) {
            assert_eq!(self.grown.read(key).unwrap(), value, "{key:?}");
        }
        let mut grown = self.written.grown.clone();
        grown.retain(|_, value| !value.all.is_empty());
        assert!(rows(&self.grown).into_iter().eq(grown));
        assert!(kept_rows(&self.rows).into_iter().eq(self.written.rows.clone()));
        let middle = vec![1_u8, 2];
        let mut first = Vec::new();
        let mut stop_at_first = |key: &[u8], _| {
            first.push(key.to_vec());
            Ok(ControlFlow::Break(()))
        };
        self.table.scan(&middle, &mut stop_at_first).unwrap();
        assert!(first.iter().eq(kept.range(middle..).map(|(key, _)| key).take(1)));
        for (list, records) in &self.now.lists {
            let length = records.len() as u64;
            for from in [0, length / 3, length.saturating_sub(1)] {
                let mut read = Vec::new();
                let mut visit = |index, record: &[u8]| read.push((index, record.to_vec()));
                self.journal.read(list, from, length, usize::MAX, usize::MAX, &mut visit).unwrap();
                assert!(read.into_iter().eq((from..).zip(records[from as usize..].iter().cloned())), "{list} {from}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_store_is_always_at_a_whole_checkpoint(ops in prop::collection::vec(op(), 1..80)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let mut run = Run::new(&path);
        for op in &ops {
            run = run.step(op);
        }
        run.go_on(usize::MAX).unwrap();
        run.check();
        run.restart();
    }
}
