use std::{cell::RefCell, task::Waker};

use super::*;
use crate::sync::time::Duration;

/// A store that answers in its own time, or as `F` does.
struct Store<F>(u32, F);

impl<F: Fn(Vec<(u32, u32)>)> Pump<u32> for Store<F> {
    fn urgent(&self) -> u32 {
        self.0
    }

    fn start(&self, batch: Vec<(u32, u32)>) {
        self.1(batch);
    }
}

fn pump(reads: &Reads<u32, u32>, urgent: u32) -> Vec<(u32, u32)> {
    let started = RefCell::new(Vec::new());
    reads.pump(&Store(urgent, |batch| started.borrow_mut().extend(batch)));
    started.into_inner()
}

#[test]
fn several_answers_land_at_once_and_let_others_start() {
    let reads = Reads::<u32, u32>::new(2);
    let started = RefCell::new(Vec::new());
    let store = Store(0, |batch| started.borrow_mut().extend(batch));
    let ask = |key| reads.ask_and_pump(key, key, || false, &store).unwrap();
    let flights = [1, 2, 3, 4].map(ask);
    assert_eq!(started.take(), [(1, 1), (2, 2)]);
    reads.land_and_pump([(1, 10, true), (2, 20, false), (2, 21, false)], [], |_| false, &store);
    assert_eq!(started.take(), [(3, 3), (4, 4)]);
    assert_eq!(flights.map(|flight| flight.peek()), [Some(10), Some(20), None, None]);
    assert!(reads.ask_and_pump(5, 5, || true, &store).is_none() && !reads.knows(&5));
    assert_eq!((reads.kept(&1), reads.load()), (Some(10), 2));
}

#[test]
fn what_is_asked_ahead_starts_at_once_as_far_as_there_is_room() {
    let reads = Reads::<u32, u32>::new(2);
    let started = RefCell::new(Vec::new());
    let store = Store(0, |batch| started.borrow_mut().push(batch));
    let ask = |keys: &[u32]| {
        let keys = keys.iter().map(|key| (*key, *key));
        reads.ask_ahead_and_pump(keys, |key| key == 8, &store);
        started.take()
    };
    assert_eq!(ask(&[8, 4, 5, 6]), [[(4, 4), (5, 5)]]);
    assert_eq!((reads.load(), reads.knows(&8)), (3, false));
    // Asked for already, and behind those that wait; one that cannot wait goes beyond the limit.
    assert!(ask(&[5, 6, 7]).is_empty());
    assert_eq!(ask(&[9, 0]), [[(0, 0)]]);
    reads.land_and_pump([4, 5, 0].map(|key| (key, key, false)), [], |_| false, &store);
    assert_eq!(started.take(), [[(6, 6), (7, 7)]]);
    assert_eq!(reads.totals(), ReadTotals { started: 5, most_in_flight: 3 });
    reads.land_and_pump([6, 7].map(|key| (key, key, false)), [], |_| false, &store);
    assert_eq!(started.take(), [[(9, 9)]]);
    // One that cannot wait is behind the limit in the same call.
    assert_eq!(ask(&[12, 13, 0]), vec![vec![(12, 12)], vec![(0, 0)]]);
    reads.close();
    assert!(ask(&[10]).is_empty(), "it has ended");
}

#[test]
fn what_an_answer_leads_to_starts_in_its_place() {
    let reads = Reads::<u32, u32>::new(2);
    let started = RefCell::new(Vec::new());
    let store = Store(0, |batch| started.borrow_mut().push(batch));
    let land = |keys: &[u32], asks: &[u32]| {
        let answers = keys.iter().map(|key| (*key, *key, false));
        let asks = asks.iter().map(|key| (*key, *key));
        reads.land_and_pump(answers, asks, |key| key == 8, &store);
        started.take()
    };
    assert_eq!(land(&[], &[1, 2]), [[(1, 1), (2, 2)]]);
    assert_eq!(land(&[1], &[8, 3, 2]), [[(3, 3)]]);
    assert!(land(&[], &[4]).is_empty());
    // Through the queue, since something is queued; there the lower rank goes first.
    assert_eq!(land(&[2], &[1]), [[(1, 1)]]);
    assert_eq!(land(&[3, 1], &[]), [[(4, 4)]]);
    // What has just landed, and lies nowhere, is asked for anew.
    assert_eq!(land(&[4], &[4]), [[(4, 4)]]);
    assert_eq!(reads.totals(), ReadTotals { started: 6, most_in_flight: 2 });
}

#[test]
fn one_key_is_one_read_and_the_lowest_rank_goes_first() {
    let reads = Reads::new(1);
    let (first, _) = (reads.ask(7, 5), reads.ask(8, 4));
    let second = reads.ask(7, 3);
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(pump(&reads, 0), [(7, 3)]);
    assert_eq!(pump(&reads, 0), []);
    reads.land(7, 70, false);
    assert_eq!(first.poll(Waker::noop()), Some(70));
    assert_eq!(pump(&reads, 0), [(8, 4)]);
    assert_eq!(reads.totals(), ReadTotals { started: 2, most_in_flight: 1 });
}

#[test]
fn the_frontier_passes_a_full_limit_once() {
    let reads = Reads::new(2);
    for key in 10..14 {
        reads.ask(key, key);
    }
    assert_eq!(pump(&reads, 0), [(10, 10), (11, 11)]);
    reads.ask(1, 0);
    reads.ask(2, 0);
    assert_eq!(pump(&reads, 0), [(1, 0)]);
    assert_eq!(pump(&reads, 0), []);
    reads.land(10, 0, false);
    reads.land(11, 0, false);
    assert_eq!(pump(&reads, 0), [(2, 0)]);
}

#[test]
fn a_kept_answer_is_found_and_another_is_asked_again() {
    let reads = Reads::new(4);
    reads.ask(1, 0);
    reads.ask(2, 0);
    pump(&reads, 0);
    reads.land(1, 10, true);
    reads.land(2, 20, false);
    reads.land(2, 21, false);
    assert_eq!((reads.kept(&1), reads.kept(&2)), (Some(10), None));
    assert!(reads.ask(1, 9).peek().is_some());
    reads.ask(2, 0);
    assert_eq!(pump(&reads, 0), [(2, 0)]);
    assert!(reads.any());
}

#[test]
fn a_store_that_answers_at_once_does_not_recurse() {
    let reads = Reads::<u32, u32>::new(1);
    for key in 0..10_000 {
        reads.ask(key, key);
    }
    fn go(reads: &Reads<u32, u32>, depth: usize) {
        assert!(depth < 3);
        reads.pump(&Store(0, |batch| {
            for (key, _) in batch {
                reads.land(key, key, false);
                go(reads, depth + 1);
            }
        }));
    }
    go(&reads, 0);
    assert!(!reads.any());
    assert_eq!(reads.totals().started, 10_000);
}

#[test]
fn what_is_late_is_answered_for_and_frees_its_place() {
    let reads = Reads::<u32, u32>::new(2);
    let (old, new) = (reads.ask(1, 0), reads.ask(2, 1));
    let next = reads.ask(3, 2);
    let begin = Instant::now();
    pump(&reads, 0);
    assert!(!reads.expire(begin - Duration::from_millis(1), |_| 99).0);
    reads.land(2, 20, false);
    reads.ask(4, 1);
    let later = Instant::now();
    assert_eq!(pump(&reads, 0), [(4, 1)]);
    let (any, oldest) = reads.expire(later, |key| 100 + key);
    assert!(any && oldest.is_none_or(|oldest| oldest > later));
    assert_eq!((old.peek(), new.peek(), next.peek()), (Some(101), Some(20), None));
    assert_eq!(pump(&reads, 0)[0], (3, 2));
    reads.land(1, 10, false);
    assert_eq!(old.peek(), Some(101));
}

#[test]
fn a_store_that_panics_leaves_the_reads_to_the_next_caller() {
    let reads = Reads::<u32, u32>::new(1);
    reads.ask(1, 0);
    let panics = || reads.pump(&Store(0, |_| panic!("a store's fault")));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    reads.land(1, 10, false);
    reads.ask(2, 0);
    assert_eq!(pump(&reads, 0), [(2, 0)]);
}

#[test]
fn closing_wakes_those_who_wait_and_starts_nothing() {
    let reads = Reads::<u32, u32>::new(1);
    let flight = reads.ask(1, 0);
    reads.close();
    assert_eq!(flight.wait(|| false, || reads.is_closed()), None);
    assert_eq!(pump(&reads, 9), []);
}
