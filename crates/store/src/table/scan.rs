//! Going through a table in the order of its keys.

use std::ops::ControlFlow;

use super::{
    key,
    slots::{Found, Slots},
};
use crate::error::StoreError;

type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'a;

/// Visits every record from `from` on that is there at the last checkpoint.
pub(super) fn scan(slots: &Slots<'_>, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
    let mut start = Vec::new();
    key::escape(from, &mut start);
    let mut slots_in_order = slots.shared.call(|| Ok(slots.tree.range(start..)))?;
    let mut record = Record::default();
    while let Some((stored, value)) = slots.shared.call(|| slots_in_order.next().transpose())? {
        let Some((escaped, slot, piece)) = key::split(&stored) else {
            return Err(slots.shared.damaged("a key that is none"));
        };
        if escaped != record.escaped {
            if record.visit(slots, visit)?.is_break() {
                return Ok(());
            }
            record.escaped.clear();
            record.escaped.extend_from_slice(escaped);
        }
        if piece == 0
            && let Some(found) = slots.parse(slot, value)?
        {
            record.found = Some(found.younger(record.found.take()));
        }
    }
    record.visit(slots, visit).map(drop)
}

/// The record whose slots are being passed.
#[derive(Default)]
struct Record {
    escaped: Vec<u8>,
    found: Option<Found>,
    key: Vec<u8>,
}

impl Record {
    fn visit(&mut self, slots: &Slots<'_>, visit: &mut Visit<'_>) -> Result<ControlFlow<()>, StoreError> {
        let Some(found) = self.found.take() else {
            return Ok(ControlFlow::Continue(()));
        };
        let found = slots.complete(found, &mut self.escaped)?;
        match found.record() {
            Some(record) => {
                key::unescape(&self.escaped, &mut self.key)
                    .ok_or_else(|| slots.shared.damaged("a key that is none"))?;
                visit(&self.key, record)
            }
            None => Ok(ControlFlow::Continue(())),
        }
    }
}
