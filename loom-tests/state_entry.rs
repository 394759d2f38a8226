//! `state::entry`: a reader sees the value or is told of it, and commits add up.

use chorus::{
    state::{Cell, Entry, Read, TxIndex},
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
        thread,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_reader_sees_the_value_or_is_told",
        threads: 3,
        bound: 3,
        weakenings: &["entry.reader-locked", "entry.publish-tells"],
        run: a_reader_sees_the_value_or_is_told,
    },
    Model {
        name: "an_aborted_write_blocks_until_it_is_withdrawn",
        threads: 2,
        bound: 4,
        weakenings: &["entry.estimate", "entry.withdraw-tells"],
        run: an_aborted_write_blocks_until_it_is_withdrawn,
    },
    Model {
        name: "a_late_fill_does_not_undo_a_commit",
        threads: 3,
        bound: 3,
        weakenings: &["entry.fill-once"],
        run: a_late_fill_does_not_undo_a_commit,
    },
    Model {
        name: "a_change_decided_at_the_cursor_is_seen_or_told_and_builds_on_what_is_known",
        threads: 3,
        bound: 3,
        weakenings: &["entry.commit-tells"],
        run: a_change_decided_at_the_cursor_is_seen_or_told_and_builds_on_what_is_known,
    },
    Model {
        name: "what_was_read_without_the_lock_is_checked_at_the_cursor",
        threads: 2,
        bound: 4,
        weakenings: &["entry.touch"],
        run: what_was_read_without_the_lock_is_checked_at_the_cursor,
    },
    Model {
        name: "who_asks_for_it_is_told_of_what_hardly_changes",
        threads: 2,
        bound: 4,
        weakenings: &["entry.noted", "entry.reader-locked"],
        run: who_asks_for_it_is_told_of_what_hardly_changes,
    },
    Model {
        name: "nobody_is_left_in_a_row_that_was_told_to_go_on",
        threads: 3,
        bound: 3,
        weakenings: &["rivals.look-again", "rivals.release"],
        run: nobody_is_left_in_a_row_that_was_told_to_go_on,
    },
];

/// A number that is overwritten and observed as a whole.
pub(crate) struct Number;

/// A new number.
#[derive(Clone)]
pub(crate) struct Set(pub(crate) u32);

impl Cell for Number {
    type Key = u32;
    type Value = u32;
    type Change = Set;
    type Seen = u32;

    fn apply(value: &mut u32, change: &Set) {
        *value = change.0;
    }

    fn holds(value: &u32, seen: &u32) -> bool {
        value == seen
    }
}

const LOW: TxIndex = TxIndex(0);
const MIDDLE: TxIndex = TxIndex(1);
const READER: TxIndex = TxIndex(2);

/// Two writers and a reader; what the reader saw is told to be old exactly if it is.
fn a_reader_sees_the_value_or_is_told() {
    let entry = Arc::new(Entry::<Number>::default());
    entry.fill(10);
    let writers = [(LOW, 11), (MIDDLE, 12)].map(|(writer, value)| {
        let entry = entry.clone();
        thread::spawn(move || {
            let mut told = Vec::new();
            entry.publish(writer, Set(value), &mut told);
            told.contains(&READER)
        })
    });
    let read = entry.read(READER);
    let [low_told, middle_told] = writers.map(|writer| writer.join().unwrap());
    match read {
        Read::Value(10) => assert!(low_told && middle_told),
        Read::Value(11) => assert!(!low_told && middle_told),
        Read::Value(12) => assert!(!middle_told),
        other => panic!("nobody wrote {other:?}"),
    }
    let seen = match read {
        Read::Value(seen) => seen,
        _ => return,
    };
    assert_eq!(entry.may_hold(READER, &seen), seen == 12);
    entry.commit(LOW, &mut Vec::new());
    entry.commit(MIDDLE, &mut Vec::new());
    assert!(entry.holds(&12));
    assert_eq!(entry.difference(|before, now| (*before, *now)), Some((10, 12)));
}

/// The writer is aborted, and its next incarnation writes elsewhere.
fn an_aborted_write_blocks_until_it_is_withdrawn() {
    let entry = Arc::new(Entry::<Number>::default());
    entry.fill(10);
    let retracted = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (entry, retracted) = (entry.clone(), retracted.clone());
        move || {
            let mut told = Vec::new();
            entry.publish(LOW, Set(11), &mut told);
            let published = told.contains(&READER);
            entry.retract(LOW);
            retracted.store(true, Release);
            told.clear();
            entry.withdraw(LOW, &mut told);
            (published, told.contains(&READER))
        }
    });
    let is_retracted = retracted.load(Acquire);
    let read = entry.read(READER);
    let (told_of_publish, told_of_withdrawal) = writer.join().unwrap();
    match read {
        Read::Value(10) => assert_eq!(told_of_publish, told_of_withdrawal),
        Read::Value(11) => assert!(!is_retracted && !told_of_publish && told_of_withdrawal),
        Read::Blocked(LOW) => assert!(!told_of_publish && !told_of_withdrawal),
        other => panic!("nobody wrote {other:?}"),
    }
    assert_eq!(entry.read(READER), Read::Value(10));
}

/// Reads, and if there is no value, asks the store, which says 10.
fn read_or_ask(entry: &Entry<Number>, reader: TxIndex) -> Read<u32> {
    let read = entry.read(reader);
    if read != Read::Unknown {
        return read;
    }
    entry.fill(10);
    entry.read(reader)
}

/// The reader finds no value and asks the store, while a blind write commits.
fn a_late_fill_does_not_undo_a_commit() {
    let entry = Arc::new(Entry::<Number>::default());
    let fillers = [MIDDLE, READER].map(|reader| {
        let entry = entry.clone();
        thread::spawn(move || {
            let read = read_or_ask(&entry, reader);
            assert!(matches!(read, Read::Value(10 | 11)), "{read:?}");
            read == Read::Value(10)
        })
    });
    let mut told = Vec::new();
    entry.publish(LOW, Set(11), &mut told);
    entry.commit(LOW, &mut Vec::new());
    for (reader, filler) in [MIDDLE, READER].into_iter().zip(fillers) {
        assert_eq!(filler.join().unwrap(), told.contains(&reader));
    }
    assert_eq!(entry.committed(), Some(11));
}

/// The commit step takes from a balance what it finds there, if the store has answered by then, beside readers who ask
/// the store.
fn a_change_decided_at_the_cursor_is_seen_or_told_and_builds_on_what_is_known() {
    let entry = Arc::new(Entry::<Number>::default());
    let readers = [MIDDLE, READER].map(|reader| {
        let entry = entry.clone();
        thread::spawn(move || {
            let read = read_or_ask(&entry, reader);
            assert!(matches!(read, Read::Value(3 | 10)), "{read:?}");
            read == Read::Value(10)
        })
    });
    let mut told = Vec::new();
    let takes = |value: &u32| value.checked_sub(7).map(Set);
    let taken = entry.commit_if(LOW, &mut told, takes);
    for (reader, before) in [MIDDLE, READER].into_iter().zip(readers) {
        let before = before.join().unwrap();
        assert!(before || taken, "saw what nobody committed");
        assert_eq!(told.contains(&reader), taken && before);
    }
    assert_eq!(entry.committed(), Some(if taken { 3 } else { 10 }));
    assert!(!entry.commit_if(MIDDLE, &mut Vec::new(), |value| value.checked_sub(11).map(Set)));
    assert_eq!(entry.difference(|before, now| (*before, *now)), taken.then_some((10, 3)));
}

/// A number that hardly changes: nobody who reads it is told of that who does not ask for it.
struct Fixed;

impl Cell for Fixed {
    type Key = u32;
    type Value = u32;
    type Change = Set;
    type Seen = u32;

    fn apply(value: &mut u32, change: &Set) {
        *value = change.0;
    }

    fn holds(value: &u32, seen: &u32) -> bool {
        value == seen
    }

    fn hardly_changes(_: &u32) -> bool {
        true
    }
}

/// A transaction changes what another reads beside it. Once the first has committed, the check says
/// whether the second saw the change; and whoever begins after that sees it.
fn what_was_read_without_the_lock_is_checked_at_the_cursor() {
    let entry = Arc::new(Entry::<Fixed>::default());
    entry.fill(10);
    let committed = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (entry, committed) = (entry.clone(), committed.clone());
        move || {
            entry.publish(LOW, Set(11), &mut Vec::new());
            entry.commit(LOW, &mut Vec::new());
            committed.store(true, Release);
        }
    });
    let begun_after = committed.load(Acquire);
    let Read::Value(seen) = entry.read(READER) else { panic!("the value is known") };
    assert!(matches!(seen, 10 | 11));
    if committed.load(Acquire) {
        assert_eq!(entry.holds(&seen), seen == 11);
        assert_eq!(entry.may_hold(READER, &seen), seen == 11);
    }
    assert!(!begun_after || seen == 11);
    writer.join().unwrap();
    assert!(entry.holds(&11) && !entry.holds(&10));
    assert_eq!(entry.read(READER), Read::Value(11));
    assert_eq!(entry.difference(|before, now| (*before, *now)), Some((10, 11)));
}

/// A transaction changes what two others read beside it, of which one asks to be told.
fn who_asks_for_it_is_told_of_what_hardly_changes() {
    let entry = Arc::new(Entry::<Fixed>::default());
    entry.fill(10);
    let writer = thread::spawn({
        let entry = entry.clone();
        move || {
            let mut told = Vec::new();
            entry.publish(LOW, Set(11), &mut told);
            told
        }
    });
    let plain = entry.read(MIDDLE);
    let noted = entry.read_noted(READER);
    let told = writer.join().unwrap();
    assert!(matches!(plain, Read::Value(10 | 11)) && !told.contains(&MIDDLE));
    assert_eq!(noted, Read::Value(if told.contains(&READER) { 10 } else { 11 }));
}

/// Two transactions come to a contended location while a commit finds that hardly anybody who looks
/// there changes it: each goes on, or is told to.
fn nobody_is_left_in_a_row_that_was_told_to_go_on() {
    const FIRST: TxIndex = TxIndex(1);
    const SECOND: TxIndex = TxIndex(6);
    let entry = Arc::new(Entry::<Number>::default());
    entry.fill(10);
    // The first change comes too late for those who have looked, of whom the last but one changes it as
    // well, and the last may.
    let last = TxIndex(SECOND.0 + 1);
    for reader in 2..=last.0 {
        let _ = entry.read(TxIndex(reader));
    }
    let mut told = Vec::new();
    entry.publish(FIRST, Set(11), &mut told);
    assert_eq!(told.len(), 6);
    entry.commit(FIRST, &mut told);
    entry.publish(SECOND, Set(12), &mut told);
    let others = [TxIndex(8), TxIndex(9)].map(|reader| {
        let entry = entry.clone();
        thread::spawn(move || {
            // None of those before has published, as far as this one has heard.
            entry.rival(reader, None, |_| false).map(|_| reader)
        })
    });
    told.clear();
    entry.commit(SECOND, &mut told);
    for waiting in others.into_iter().filter_map(|other| other.join().unwrap()) {
        assert!(told.contains(&waiting), "{waiting} waits in vain");
    }
}
