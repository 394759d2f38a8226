//! What one transaction did with shared memory, in plain integers.

use std::ops::{AddAssign, Index, IndexMut};

use super::kind::OperationKind;

/// A number for each kind of operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerKind([u64; OperationKind::COUNT]);

impl PerKind {
    /// The kinds and their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (OperationKind, u64)> {
        OperationKind::ALL.into_iter().zip(self.0)
    }

    /// The sum over all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, number| sum.saturating_add(*number))
    }
}

impl Index<OperationKind> for PerKind {
    type Output = u64;

    fn index(&self, kind: OperationKind) -> &u64 {
        &self.0[kind as usize]
    }
}

impl IndexMut<OperationKind> for PerKind {
    fn index_mut(&mut self, kind: OperationKind) -> &mut u64 {
        &mut self.0[kind as usize]
    }
}

/// What a transaction, or all committed transactions of a block, did with shared memory: the numbers
/// that are a function of the block and the chain configuration.
///
/// An incarnation counts into its own. Those of committed incarnations are merged by `+=`, in any
/// order with the same result: sums end at `u64::MAX`. They count what was executed, also in frames
/// that reverted.
///
/// The fields, in their order, are counters in the causal order of
/// [`Counters`](super::Counters): an effect stands below its cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Operations that succeeded.
    pub succeeded: PerKind,
    /// Operations that failed, for whatever reason.
    pub failed: PerKind,
    /// Of these, the ones that the rights did not allow (`PermissionDenied` and `NotOwner`).
    pub denied: u64,
    /// Bytes read out of regions, copies included.
    pub bytes_read: u64,
    /// Bytes written into regions, copies included.
    pub bytes_written: u64,
    /// Pages that came into being.
    pub pages_created: u64,
    /// Copies of a present page at a frame's first write to it.
    pub copy_on_write_faults: u64,
    /// Pages that the transaction touched, each once.
    pub pages_touched: u64,
    /// Gas charged for operations on regions.
    pub gas: u64,
}

impl Usage {
    /// How many numbers a usage has.
    pub(super) const NUMBERS: usize = 2 * OperationKind::COUNT + 7;

    /// Counts an operation by how it ended.
    pub fn record<T, E>(&mut self, kind: OperationKind, ended: &Result<T, E>) {
        let numbers = if ended.is_ok() { &mut self.succeeded } else { &mut self.failed };
        numbers[kind] = numbers[kind].saturating_add(1);
    }

    /// Successful reads for each successful write, or `None` without a write. A copy is one of each.
    #[must_use]
    pub fn read_write_ratio(&self) -> Option<f64> {
        let sum = |kinds: &[OperationKind]| {
            kinds.iter().fold(0u64, |sum, kind| sum.saturating_add(self.succeeded[*kind]))
        };
        let reads = sum(&[OperationKind::Read, OperationKind::ReadPadded, OperationKind::Copy]);
        let writes = sum(&[OperationKind::Write, OperationKind::Copy]);
        (writes > 0).then(|| reads as f64 / writes as f64)
    }

    /// The numbers in the order of the fields.
    fn numbers_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        // By pattern, so that a new field cannot be forgotten here.
        let Self {
            succeeded,
            failed,
            denied,
            bytes_read,
            bytes_written,
            pages_created,
            copy_on_write_faults,
            pages_touched,
            gas,
        } = self;
        let single = [
            denied,
            bytes_read,
            bytes_written,
            pages_created,
            copy_on_write_faults,
            pages_touched,
            gas,
        ];
        succeeded.0.iter_mut().chain(&mut failed.0).chain(single)
    }

    /// The numbers in the order of the fields.
    pub(super) fn to_numbers(mut self) -> [u64; Self::NUMBERS] {
        let mut numbers = [0; Self::NUMBERS];
        let all = self.numbers_mut();
        numbers.iter_mut().zip(all).for_each(|(place, number)| *place = *number);
        numbers
    }

    /// The usage of these numbers.
    pub(super) fn from_numbers(numbers: [u64; Self::NUMBERS]) -> Self {
        const KINDS: usize = OperationKind::COUNT;
        let per_kind = |begin| PerKind(std::array::from_fn(|kind| numbers[begin + kind]));
        let [.., denied, bytes_read, bytes_written, created, faults, touched, gas] = numbers;
        Self {
            succeeded: per_kind(0),
            failed: per_kind(KINDS),
            denied,
            bytes_read,
            bytes_written,
            pages_created: created,
            copy_on_write_faults: faults,
            pages_touched: touched,
            gas,
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, mut other: Self) {
        // In place: this is done under the commit step's lock for each transaction, and through arrays of all
        // numbers it took 2,700 instructions of a transaction's 12,000.
        let addends = other.numbers_mut();
        self.numbers_mut()
            .zip(addends)
            .for_each(|(sum, addend)| *sum = sum.saturating_add(*addend));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_there_and_back_are_the_same_usage() {
        let numbers = std::array::from_fn(|at| at as u64 + 1);
        assert_eq!(Usage::from_numbers(numbers).to_numbers(), numbers);
    }

    #[test]
    fn each_number_is_added_to_its_own_and_ends_at_the_largest() {
        let numbers: [u64; Usage::NUMBERS] = std::array::from_fn(|at| at as u64 + 1);
        let mut usage = Usage::from_numbers(numbers.map(|number| number * 1_000));
        usage += Usage::from_numbers(numbers);
        assert_eq!(usage.to_numbers(), numbers.map(|number| number * 1_001));
        usage += Usage::from_numbers([u64::MAX; Usage::NUMBERS]);
        assert_eq!(usage.to_numbers(), [u64::MAX; Usage::NUMBERS]);
    }

    #[test]
    fn an_operation_is_counted_by_how_it_ended() {
        let mut usage = Usage::default();
        usage.record(OperationKind::Map, &Ok::<_, ()>(1));
        usage.record(OperationKind::Map, &Err::<(), _>("denied"));
        usage.record(OperationKind::Map, &Err::<(), _>("mapped"));
        assert_eq!((usage.succeeded[OperationKind::Map], usage.failed[OperationKind::Map]), (1, 2));
        assert_eq!((usage.succeeded.total(), usage.failed.total()), (1, 2));
    }

    #[test]
    fn the_ratio_is_that_of_successful_operations_and_absent_without_writes() {
        let mut usage = Usage::default();
        usage.succeeded[OperationKind::Read] = 5;
        usage.failed[OperationKind::Write] = 3;
        assert_eq!(usage.read_write_ratio(), None);
        usage.succeeded[OperationKind::ReadPadded] = 2;
        usage.succeeded[OperationKind::Write] = 1;
        usage.succeeded[OperationKind::Copy] = 1;
        assert_eq!(usage.read_write_ratio(), Some(4.0));
    }
}
