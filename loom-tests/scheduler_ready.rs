//! `scheduler::ready`: each index is on offer once at first, and again whenever it is returned.

use std::ops::Range;

use chorus::{
    scheduler::{EarlyStarts, ReadyQueue},
    state::TxIndex,
    sync::{Arc, thread},
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_fresh_index_is_handed_out_once_and_in_order",
        threads: 3,
        bound: 3,
        weakenings: &["ready.fresh-rmw"],
        run: a_fresh_index_is_handed_out_once_and_in_order,
    },
    Model {
        name: "an_early_index_is_handed_out_once_before_its_turn",
        threads: 3,
        bound: 3,
        weakenings: &["early.next-rmw"],
        run: an_early_index_is_handed_out_once_before_its_turn,
    },
    Model {
        name: "no_returned_index_is_hidden",
        threads: 3,
        bound: 3,
        weakenings: &["ready.hint-lowered", "ready.hint-locked"],
        run: no_returned_index_is_hidden,
    },
];

/// Three workers take batches of two until the window's end.
fn a_fresh_index_is_handed_out_once_and_in_order() {
    const END: u32 = 5;
    fn take(ready: &ReadyQueue) -> Vec<Range<u32>> {
        let pop = || ready.pop_fresh(END, u32::MAX, |_| 2);
        let taken: Vec<_> = std::iter::repeat_with(pop).take_while(|r| !r.is_empty()).collect();
        assert!(taken.is_sorted_by(|low, high| low.end <= high.start), "{taken:?}");
        taken
    }
    let ready = Arc::new(ReadyQueue::new(9));
    let others = [(); 2].map(|()| {
        let ready = ready.clone();
        thread::spawn(move || take(&ready))
    });
    let mut taken: Vec<u32> = take(&ready).into_iter().flatten().collect();
    for other in others {
        taken.extend(other.join().unwrap().into_iter().flatten());
    }
    taken.sort_unstable();
    assert!(taken.into_iter().eq(0..END), "each index below the window's end, once");
    assert_eq!(ready.started(), END);
    assert!(!ready.has_work(END, END) && ready.has_work(END, END + 1));
}

/// Three workers share a block whose last two transactions are to start first.
fn an_early_index_is_handed_out_once_before_its_turn() {
    const END: u32 = 4;
    fn take(ready: &ReadyQueue) -> Vec<u32> {
        let pop = || ready.pop_fresh(END, u32::MAX, |_| 4);
        std::iter::repeat_with(pop).take_while(|r| !r.is_empty()).flatten().collect()
    }
    let early = EarlyStarts::plan(&[1, 1, 9, 12], 0, 4);
    let ready = Arc::new(ReadyQueue::new(END).with_early_starts(early));
    let others = [(); 2].map(|()| {
        let ready = ready.clone();
        thread::spawn(move || take(&ready))
    });
    let mut taken = take(&ready);
    for other in others {
        taken.extend(other.join().unwrap());
    }
    taken.sort_unstable();
    // Unless its turn came first, it is handed out twice, and never more often.
    let times = |index| taken.iter().filter(|taken| **taken == index).count();
    assert_eq!((times(0), times(1)), (1, 1), "{taken:?}");
    assert!((1..=2).contains(&times(2)) && (1..=2).contains(&times(3)), "{taken:?}");
}

/// Two workers return an index each, while a third takes what it finds, first below a limit.
fn no_returned_index_is_hidden() {
    let ready = Arc::new(ReadyQueue::new(0));
    let returners = [3, 5].map(|index| {
        let ready = ready.clone();
        thread::spawn(move || ready.push(TxIndex(index)))
    });
    let mut taken: Vec<TxIndex> = ready.pop_returned(5).into_iter().collect();
    assert!(taken.iter().all(|index| index.0 == 3), "5 is not below the limit");
    taken.extend(ready.pop_returned(u32::MAX));
    for returner in returners {
        returner.join().unwrap();
    }
    while ready.has_work(u32::MAX, u32::MAX) {
        taken.push(ready.pop_returned(u32::MAX).expect("the hint promises an index"));
    }
    taken.sort_unstable();
    assert_eq!(taken, [TxIndex(3), TxIndex(5)]);
}
