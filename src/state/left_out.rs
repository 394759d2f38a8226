//! What an incarnation wrote and the one after it did not.

use smallvec::SmallVec;

use super::EntryId;

/// Those of `previous` that are not among `written`. A transaction may have written thousands of places twice, so
/// they are not compared each to each.
pub fn left_out<T: Ord>(
    previous: impl Iterator<Item = T>,
    written: impl Iterator<Item = T>,
) -> impl Iterator<Item = T> {
    let mut written: SmallVec<[T; 16]> = written.collect();
    written.sort_unstable();
    previous.filter(move |place| written.binary_search(place).is_err())
}

/// The places of writes.
pub fn places<T>(writes: &[(EntryId, T)]) -> impl Iterator<Item = EntryId> {
    writes.iter().map(|(id, _)| *id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_written_again_is_left_out_in_its_order() {
        let left = |previous: &[u32], written: &[u32]| {
            left_out(previous.iter().copied(), written.iter().copied()).collect::<Vec<_>>()
        };
        assert_eq!(left(&[5, 1, 9], &[9, 5, 7]), [1]);
        assert_eq!(left(&[5, 1, 9], &[]), [5, 1, 9]);
        assert!(left(&[], &[3]).is_empty());
        let (odd, all): (Vec<_>, Vec<_>) =
            ((0..500).map(|at| at * 2 + 1).rev().collect(), (0..1_000).collect());
        assert_eq!(
            left(&all, &odd),
            all.iter().copied().filter(|at| at % 2 == 0).collect::<Vec<_>>()
        );
    }
}
