//! `registry::lease`: lease against destroy against collect.

use chorus::{
    registry::{Leases, Limbo, Publisher, Retired},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
        thread,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "what_is_leased_is_not_collected",
        threads: 3,
        bound: 3,
        weakenings: &["lease.compares", "lease.retire-compares"],
        run: what_is_leased_is_not_collected,
    },
    Model {
        name: "collecting_is_after_the_last_use",
        threads: 2,
        bound: 4,
        weakenings: &["lease.release", "lease.retire-acquires"],
        run: collecting_is_after_the_last_use,
    },
    Model {
        name: "of_two_collectors_one_retires",
        threads: 3,
        bound: 3,
        weakenings: &["lease.retire-compares"],
        run: of_two_collectors_one_retires,
    },
];

/// What a table knows of a record.
struct Record {
    leases: Leases,
    /// How many use it now, counted by read-modify-writes so that the latest value is seen.
    users: AtomicU32,
    freed: AtomicU32,
}

impl Record {
    fn new() -> Arc<Self> {
        let (users, freed) = (AtomicU32::new(0), AtomicU32::new(0));
        Arc::new(Self { leases: Leases::new(), users, freed })
    }
}

/// A reader finds a record in the table, perhaps an old one, and maps it; the actor destroys it; the
/// collector frees it when it can.
fn what_is_leased_is_not_collected() {
    let record = Record::new();
    let mut publisher = Publisher::new(Some(record.clone()));
    let readers = [0, 1].map(|_| {
        let published = publisher.published();
        thread::spawn(move || {
            let table = published.load_full();
            let Some(record) = (**table).clone() else { return };
            let Some(lease) = record.leases.try_lease() else { return };
            record.users.fetch_add(1, Relaxed);
            assert_eq!(record.freed.fetch_add(0, Relaxed), 0, "freed under a lease");
            record.users.fetch_sub(1, Relaxed);
            drop(lease);
        })
    });
    publisher.publish(None);
    let mut limbo = Limbo::new(1);
    limbo.push(record.clone(), record.leases.clone()).unwrap_or_else(|_| unreachable!());
    let free = |record: Arc<Record>| {
        record.freed.fetch_add(1, Relaxed);
        assert_eq!(record.users.fetch_add(0, Relaxed), 0, "freed while it is used");
    };
    let _ = limbo.sweep(1, free);
    for reader in readers {
        reader.join().unwrap();
    }
    let _ = limbo.sweep(1, free);
    assert!(limbo.is_empty());
    assert_eq!(record.freed.load(Relaxed), 1);
    assert!(record.leases.is_retired() && record.leases.try_lease().is_none());
}

fn collecting_is_after_the_last_use() {
    let leases = Leases::new();
    let used = Arc::new(AtomicU32::new(0));
    let lease = leases.try_lease();
    let reader = thread::spawn({
        let used = used.clone();
        move || {
            let again = lease.as_ref().map(|lease| lease.again());
            drop(lease);
            used.store(1, Relaxed);
            drop(again);
        }
    });
    match leases.retire() {
        Retired::Now => assert_eq!(used.load(Relaxed), 1, "a use after the collection"),
        Retired::Leased(leases) => assert!((1..=2).contains(&leases)),
        Retired::Before => unreachable!(),
    }
    reader.join().unwrap();
}

fn of_two_collectors_one_retires() {
    let leases = Leases::new();
    let collectors = [0, 1].map(|_| {
        let leases = leases.clone();
        thread::spawn(move || leases.retire())
    });
    let retired = collectors.map(|collector| collector.join().unwrap());
    assert!(matches!(retired, [Retired::Now, Retired::Before] | [Retired::Before, Retired::Now]));
}
