use super::*;
use crate::sync::{Arc, thread};

struct Number;

impl Cell for Number {
    type Key = u64;
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

#[test]
fn a_key_has_one_id_whoever_asks() {
    let table: Table<Number> = Table::new();
    let mut guides = [Guide::default(), Guide::default()];
    for round in 0..3u64 {
        for key in 0..2_000 {
            let [one, other] = &mut guides;
            let ids = match (key + round) % 3 {
                0 => [table.intern(&key), table.intern_by(one, &key)],
                1 => [table.intern_by(other, &key), table.intern_by(one, &key)],
                _ => [table.intern_by(one, &key), table.intern(&key)],
            };
            assert_eq!(ids[0], ids[1]);
            assert_eq!(table.find(&key), Some(ids[0]));
            assert_eq!(table.key(ids[0]), Some(&key));
            assert_eq!(table.key_of_number(ids[0].get()), Some(&key));
            table.entry(ids[0]).fill(key);
        }
    }
    let mut keys: Vec<u64> = table.iter().map(|(_, key, _)| *key).collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..2_000).collect::<Vec<_>>());
    assert!(table.iter().all(|(_, key, entry)| entry.committed() == Some(*key)));
    assert!(table.iter().map(|(id, ..)| id).is_sorted());
}

#[test]
fn positions_of_an_extent_stay_while_the_table_grows() {
    let table: Table<Number> = Table::new();
    let mut guides = [Guide::default(), Guide::default()];
    for key in 0..2_000 {
        match key % 3 {
            0 => table.intern(&key),
            guide => table.intern_by(&mut guides[guide as usize - 1], &key),
        };
    }
    let (extent, ids) = (table.extent(), table.iter().map(|(id, ..)| id).collect::<Vec<_>>());
    let mut pieced = Vec::new();
    for from in (0..extent.places()).step_by(100) {
        for (position, (id, ..)) in (from..from + 100)
            .flat_map(|at| table.iter_places(extent, at..at + 1).map(move |it| (at, it)))
        {
            assert_eq!(extent.position(id.get()), Some(position));
            pieced.push(id);
        }
        // One by one, and leaves of others.
        let key = 2_000 + from as u64;
        let later = [table.intern(&key), table.intern_by(&mut Guide::default(), &(key + 1))];
        assert_eq!(later.map(|id| extent.position(id.get())), [None, None]);
    }
    assert_eq!(pieced, ids);
}

#[test]
fn several_keys_have_the_ids_that_each_has_and_a_guide_is_reminded_of_them() {
    let table: Table<Number> = Table::new();
    let mut guide = Guide::default();
    let mut fresh = 0..0;
    for from in [0, 3, 500] {
        // Some of them twice, more than expected, and some that another way knows.
        let keys: Vec<u64> = (from..from + 40).chain(from..from + 4).collect();
        let known = table.intern_by(&mut guide, &(from + 2));
        let ids = table.intern_several_at::<8>(&mut fresh, keys.iter().copied());
        assert_eq!(ids[2], known);
        let alone: Vec<_> = keys.iter().map(|key| table.intern(key)).collect();
        assert_eq!(ids[..], alone);
        assert_eq!(table.intern_several::<8>(keys.iter().copied())[..], alone);
        let mut other = Guide::default();
        table.remind(&mut other, &ids[..10]);
        let recalled = keys[..10].iter().zip(&ids).filter(|(key, id)| {
            let hash = Number::hash(key, &table.hasher);
            other.recall(hash, key).inspect(|found| assert_eq!(found, *id)).is_some()
        });
        assert!(recalled.count() > 0);
        assert_eq!(table.intern_by(&mut other, &keys[9]), ids[9]);
    }
    assert!(table.intern_several_at::<8>(&mut fresh, []).is_empty());
}

#[test]
fn a_key_that_several_threads_add_at_once_has_one_id() {
    const KEYS: u64 = 20_000;
    let table: Arc<Table<Number>> = Arc::new(Table::new());
    let threads = [0u64, 1, 2, 3].map(|thread| {
        let table = table.clone();
        thread::spawn(move || {
            let mut guide = Guide::default();
            let mut ids = vec![None; KEYS as usize];
            // From a quarter on, or from the other end, so that all meet the others now and then.
            for step in 0..KEYS {
                let key = (thread / 2 * KEYS / 4 + step) % KEYS;
                let key = if thread % 2 == 0 { key } else { KEYS - 1 - key };
                let id =
                    if thread < 2 { table.intern(&key) } else { table.intern_by(&mut guide, &key) };
                assert_eq!(table.find(&key), Some(id));
                ids[key as usize] = Some(id);
            }
            ids
        })
    });
    let [first, others @ ..] = threads.map(|thread| thread.join().unwrap());
    assert!(others.iter().all(|other| *other == first), "an id for each of two who asked");
    assert_eq!(table.iter().count(), KEYS as usize);
}

#[test]
fn a_guide_that_forgets_serves_another_table() {
    let mut guide = Guide::default();
    let first: Table<Number> = Table::new();
    for key in 0..100 {
        first.intern_by(&mut guide, &key);
    }
    guide.forget();
    let second: Table<Number> = Table::new();
    assert_eq!(second.intern(&7), second.intern_by(&mut guide, &7));
    assert_eq!(second.iter().count(), 1);
}
