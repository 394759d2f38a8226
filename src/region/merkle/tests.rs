use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The commitment by its definition: no trie, no memory of hashes.
fn by_definition(entries: &[(Bytes32, Bytes32)]) -> Bytes32 {
    match entries {
        [] => EMPTY_ROOT,
        [(key, value)] => keccak256(&[&[0], key, value]),
        [(first, _), .., (last, _)] => {
            // They are sorted, so the ends differ first.
            let is_set = |key: &Bytes32, bit: usize| key[bit / 8] & 0x80 >> (bit % 8) != 0;
            let differs = |bit: &usize| is_set(first, *bit) != is_set(last, *bit);
            let bit = (0..256).find(differs).unwrap();
            let (zero, one) =
                entries.split_at(entries.partition_point(|(key, _)| !is_set(key, bit)));
            keccak256(&[&[1, bit as u8], &by_definition(zero), &by_definition(one)])
        }
    }
}

fn root_of(model: &BTreeMap<Bytes32, Bytes32>) -> Bytes32 {
    by_definition(&model.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>())
}

/// Keys that share beginnings of any length, and often are the same.
fn keys() -> impl Strategy<Value = Bytes32> {
    prop_oneof![
        (0..256usize, 0..256usize).prop_map(|(a, b)| {
            let mut key = [0; 32];
            key[a / 8] |= 0x80 >> (a % 8);
            key[b / 8] |= 0x80 >> (b % 8);
            key
        }),
        (0..40u8).prop_map(|seed| keccak256(&[&[seed]])),
        (0..20u8).prop_map(|last| {
            let mut key = [0xFF; 32];
            key[31] = last;
            key
        }),
    ]
}

fn values() -> impl Strategy<Value = Bytes32> {
    (0..3u8).prop_map(|byte| [byte; 32])
}

proptest! {
    #[test]
    fn the_root_is_that_of_a_rebuild_and_snapshots_never_change(
        steps in prop::collection::vec(
            (keys(), prop::option::weighted(0.6, values()), 0..6u8), 0..150,
        ),
    ) {
        let mut map = MerkleMap::new();
        let mut model = BTreeMap::new();
        let mut snapshots = Vec::new();
        for (key, value, also) in steps {
            match value {
                Some(value) => {
                    prop_assert_eq!(map.insert(key, value), model.insert(key, value));
                }
                None => {
                    // A key that is there, so that the map shrinks too.
                    let present = model.range(key..).next().map_or(key, |(key, _)| *key);
                    prop_assert_eq!(map.remove(&present), model.remove(&present));
                }
            }
            prop_assert_eq!(map.len(), model.len());
            prop_assert_eq!(map.get(&key), model.get(&key));
            match also {
                // Roots are remembered at some moments and not at others.
                0 => prop_assert_eq!(map.root(), root_of(&model)),
                1 => snapshots.push((map.clone(), model.clone())),
                _ => {}
            }
        }
        prop_assert_eq!(map.root(), root_of(&model));
        prop_assert!(map.iter().eq(&model));
        for (snapshot, then) in &snapshots {
            prop_assert!(snapshot.iter().eq(then));
            prop_assert_eq!(snapshot.root(), root_of(then));
        }
    }

    #[test]
    fn the_order_of_updates_does_not_show(
        entries in prop::collection::btree_map(keys(), values(), 0..40),
        passing in prop::collection::vec(keys(), 0..20),
        order in any::<u64>(),
    ) {
        let expected = root_of(&entries);
        let mut shuffled: Vec<_> = entries.clone().into_iter().collect();
        shuffled.sort_by_key(|(key, _)| keccak256(&[key, &order.to_le_bytes()]));
        let mut map: MerkleMap = passing.iter().map(|key| (*key, [9; 32])).collect();
        for (i, (key, value)) in shuffled.into_iter().enumerate() {
            map.insert(key, value);
            if i % 3 == 0 {
                let _ = map.root();
            }
        }
        for key in passing.iter().filter(|key| !entries.contains_key(*key)) {
            map.remove(key);
        }
        prop_assert_eq!(map.root(), expected);
        prop_assert_eq!(map, entries.into_iter().collect());
    }

    #[test]
    fn another_content_has_another_root(
        entries in prop::collection::btree_map(keys(), values(), 1..20),
        at: prop::sample::Index,
    ) {
        let map: MerkleMap = entries.clone().into_iter().collect();
        let key = *at.get(&entries.keys().copied().collect::<Vec<_>>());
        let (mut without, mut changed) = (map.clone(), map.clone());
        without.remove(&key);
        changed.insert(key, [0xAB; 32]);
        prop_assert_ne!(map.root(), without.root());
        prop_assert_ne!(map.root(), changed.root());
        prop_assert_ne!(without.root(), changed.root());
    }
}

#[test]
fn an_absent_key_a_zero_value_and_the_hash_of_a_node_are_three_things() {
    let empty = MerkleMap::new();
    assert_eq!(empty.root(), [0; 32]);
    let zero: MerkleMap = [([0; 32], [0; 32])].into_iter().collect();
    assert_ne!(zero.root(), empty.root());
    let nested: MerkleMap = [([0; 32], zero.root())].into_iter().collect();
    assert_ne!(nested.root(), zero.root());
}

#[test]
fn an_update_hashes_its_own_way_only() {
    let keys: Vec<Bytes32> = (0..1000u32).map(|i| keccak256(&[&i.to_le_bytes()])).collect();
    let mut map: MerkleMap = keys.iter().map(|key| (*key, [1; 32])).collect();
    let hashed = |map: &MerkleMap| {
        fn missing(node: &Node) -> usize {
            let own = usize::from(node.hash.get().is_none());
            match &node.kind {
                Kind::Leaf { .. } => own,
                Kind::Branch { sides, .. } => {
                    own + sides.iter().map(|side| missing(side)).sum::<usize>()
                }
            }
        }
        missing(map.top.as_ref().unwrap())
    };
    assert_eq!(hashed(&map), 1999);
    let _ = map.root();
    assert_eq!(hashed(&map), 0);
    map.insert(keys[500], [1; 32]);
    assert_eq!(hashed(&map), 0);
    map.insert(keys[500], [2; 32]);
    assert!((8..30).contains(&hashed(&map)), "{}", hashed(&map));
}
