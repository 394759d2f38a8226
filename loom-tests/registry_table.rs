//! `registry::table`: a reader has one table or the other, never goes back, and finds what it knows.

use chorus::{
    registry::{Publisher, Version},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        thread,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_reader_sees_whole_tables_and_never_goes_back",
        threads: 2,
        bound: 4,
        weakenings: &["place.release", "place.acquire"],
        run: a_reader_sees_whole_tables_and_never_goes_back,
    },
    Model {
        name: "whoever_knows_of_a_version_finds_it",
        threads: 3,
        bound: 3,
        weakenings: &["table.number-last", "table.release", "table.acquire"],
        run: whoever_knows_of_a_version_finds_it,
    },
];

/// Half of what a table says is beside it, as pages are beside the registry's table.
fn a_reader_sees_whole_tables_and_never_goes_back() {
    let beside = Arc::new([AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)]);
    let mut publisher = Publisher::new(0);
    let published = publisher.published();
    let other = thread::spawn({
        let beside = beside.clone();
        move || {
            let mut last = Version(0);
            for _ in 0..2 {
                let table = published.load();
                let (version, value) = (table.version(), **table);
                assert_eq!(version.0, value, "a table of one version with another's number");
                assert_eq!(beside[value as usize].load(Relaxed), value, "half a table");
                assert!(version >= last);
                last = version;
            }
        }
    });
    for value in 1..=2 {
        beside[value as usize].store(value, Relaxed);
        assert_eq!(publisher.publish(value), Version(value));
    }
    assert_eq!(publisher.published().load().version(), publisher.version());
    other.join().unwrap();
}

/// One with a reader of its own, one that loads on the strength of the number.
fn whoever_knows_of_a_version_finds_it() {
    let mut publisher = Publisher::new(0);
    let mut reader = publisher.published().reader();
    let published = publisher.published();
    let keeper = thread::spawn(move || {
        let first = reader.get().version();
        assert!(reader.get().version() >= first);
        assert_eq!(reader.kept().version().0, ***reader.kept());
    });
    let knower = thread::spawn(move || {
        let known = published.version();
        assert!(published.load().version() >= known);
    });
    publisher.publish(1);
    keeper.join().unwrap();
    knower.join().unwrap();
}
