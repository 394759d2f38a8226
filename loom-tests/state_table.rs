//! `state::table` and its index: a key has one entry, whoever adds it, and whatever is added beside it, and stands at one
//! position. Under loom a
//! line of the index has one word, and its first tier one line, so every two keys meet.

use std::{
    fmt::Debug,
    hash::{Hash, Hasher},
    marker::PhantomData,
};

use chorus::{
    state::{Cell, EntryId, Guide, Table},
    sync::{Arc, brief, thread},
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_key_has_one_entry_whoever_adds_it",
        threads: 2,
        bound: 3,
        weakenings: &["index.take", "index.faster", "table.unnamed"],
        run: a_key_has_one_entry_whoever_adds_it,
    },
    Model {
        name: "a_key_that_was_added_is_found_beside_one_that_is_being_added",
        threads: 2,
        bound: 3,
        weakenings: &["index.take"],
        run: a_key_that_was_added_is_found_beside_one_that_is_being_added,
    },
    Model {
        name: "a_key_in_the_crowd_has_one_entry_whoever_adds_it",
        threads: 2,
        bound: 3,
        weakenings: &["index.crowd-locked"],
        run: a_key_in_the_crowd_has_one_entry_whoever_adds_it,
    },
    Model {
        name: "positions_of_an_extent_stay_whoever_adds_keys",
        threads: 2,
        bound: 3,
        weakenings: &["table.extent"],
        run: positions_of_an_extent_stay_whoever_adds_keys,
    },
];

/// A number, by something else.
struct Number<K>(PhantomData<K>);

impl<K: Clone + Debug + Eq + Hash + Send + Sync + 'static> Cell for Number<K> {
    type Key = K;
    type Value = u64;
    type Change = u64;
    type Seen = u64;

    fn apply(value: &mut u64, change: &u64) {
        *value = *change;
    }

    fn holds(value: &u64, seen: &u64) -> bool {
        value == seen
    }
}

/// What stands for a number, with the hash of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Alike(u64);

impl Hash for Alike {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// The keys that have entries, in order.
fn keys<K: Copy + Ord, C: Cell<Key = K, Value = u64>>(table: &Table<C>) -> Vec<K> {
    let mut keys: Vec<_> = table.iter().map(|(_, key, _)| *key).collect();
    keys.sort_unstable();
    keys
}

/// One with places of its own and one without, in different orders.
fn a_key_has_one_entry_whoever_adds_it() {
    brief::follow();
    let table = Arc::new(Table::<Number<u64>>::new());
    let other = {
        let table = table.clone();
        thread::spawn(move || {
            let mut guide = Guide::default();
            [2, 1].map(|key| table.intern_by(&mut guide, &key))
        })
    };
    let own: [EntryId; 2] = [1, 2].map(|key| table.intern(&key));
    let [second, first] = other.join().unwrap();
    assert_eq!(own, [first, second], "an entry for each of the two who asked");
    assert_eq!([1, 2].map(|key| table.find(&key)), own.map(Some));
    assert_eq!([1, 2].map(|key| table.key(own[key - 1]).copied()), [Some(1), Some(2)]);
    assert_eq!(keys(&table), [1, 2]);
}

fn a_key_that_was_added_is_found_beside_one_that_is_being_added() {
    brief::follow();
    let table = Arc::new(Table::<Number<u64>>::new());
    let other = {
        let table = table.clone();
        thread::spawn(move || table.intern(&1))
    };
    let own = table.intern(&2);
    assert_eq!(table.find(&2), Some(own), "what this thread has added");
    let seen = table.find(&1);
    let other = other.join().unwrap();
    assert!(seen.is_none_or(|seen| seen == other), "another entry than the one that was added");
    assert_eq!(table.find(&1), Some(other));
    assert_eq!(keys(&table), [1, 2]);
}

/// A model's index has four tiers, and each key's line in them has one word: the fifth that is alike is one of the
/// crowd.
fn a_key_in_the_crowd_has_one_entry_whoever_adds_it() {
    brief::follow();
    let table = Arc::new(Table::<Number<Alike>>::new());
    let before = [1, 2, 3, 4].map(|key| table.intern(&Alike(key)));
    let other = {
        let table = table.clone();
        thread::spawn(move || [6, 5].map(|key| table.intern(&Alike(key))))
    };
    let own = [5, 6].map(|key| table.intern(&Alike(key)));
    let [second, first] = other.join().unwrap();
    assert_eq!(own, [first, second], "an entry for each of the two who asked");
    assert_eq!([5, 6].map(|key| table.find(&Alike(key))), own.map(Some));
    assert_eq!([1, 2, 3, 4].map(|key| table.find(&Alike(key))), before.map(Some));
    assert_eq!(keys(&table), [1, 2, 3, 4, 5, 6].map(Alike));
}

/// Who goes through a table in pieces meets each entry once, though a worker that is late adds what nobody else has, and
/// what another is adding.
fn positions_of_an_extent_stay_whoever_adds_keys() {
    brief::follow();
    let table = Arc::new(Table::<Number<u64>>::new());
    let known = [table.intern(&1), table.intern_by(&mut Guide::default(), &2)];
    let late = {
        let table = table.clone();
        thread::spawn(move || [1, 3].map(|key| table.intern(&key)))
    };
    let extent = table.extent();
    let before = known.map(|id| extent.position(id.get()));
    let mut met = Vec::new();
    for position in 0..extent.places() {
        met.extend(
            table.iter_places(extent, position..position + 1).map(|(id, ..)| (id, position)),
        );
    }
    for (id, position) in known.into_iter().zip(before) {
        let positions = met.iter().filter(|(other, _)| *other == id).map(|(_, at)| *at);
        assert_eq!(positions.collect::<Vec<_>>(), Vec::from_iter(position), "{id:?} is there once");
    }
    let [first, _] = late.join().unwrap();
    assert_eq!(first, known[0]);
}
