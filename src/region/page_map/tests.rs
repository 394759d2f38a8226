use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u32),
    Remove(u64),
    Change(u64, u32),
    Ensure(u64, u32),
    Snapshot,
}

/// Page numbers that meet often, near each other and far apart.
fn pages() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..40u64,
        2 => 0..2000u64,
        1 => (0..20u32, 0..64u32).prop_map(|(low, high)| u64::from(low) | 1 << high),
        1 => Just(u64::MAX),
        1 => Just((1 << 52) - 1),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (pages(), any::<u32>()).prop_map(|(page, value)| Step::Insert(page, value)),
        4 => pages().prop_map(Step::Remove),
        2 => (pages(), any::<u32>()).prop_map(|(page, value)| Step::Change(page, value)),
        1 => (pages(), any::<u32>()).prop_map(|(page, value)| Step::Ensure(page, value)),
        1 => Just(Step::Snapshot),
    ];
    prop::collection::vec(step, 0..120)
}

fn assert_same(map: &PageMap<u32>, model: &BTreeMap<u64, u32>) {
    assert_eq!(map.len(), model.len());
    assert_eq!(map.is_empty(), model.is_empty());
    assert!(map.iter().map(|(page, value)| (page.0, *value)).eq(model.clone()));
    assert_eq!(map.iter().len(), model.len());
}

/// Whether there is no empty node and no level without need.
fn is_canonical(map: &PageMap<u32>) -> bool {
    fn full(node: &Node<u32>) -> bool {
        let below = match &node.slots {
            Slots::Leaf(_) => true,
            Slots::Branch(children) => children.iter().flatten().all(|child| full(child)),
        };
        below && !node.is_empty()
    }
    let largest = map.iter().last().map_or(0, |(page, _)| page.0);
    let bits = (u64::BITS - largest.leading_zeros()).max(1);
    map.root.as_deref().is_none_or(full) && map.shift == (bits - 1) / LEVEL_BITS * LEVEL_BITS
}

proptest! {
    #[test]
    fn it_is_an_ordered_map_and_its_snapshots_never_change(steps in steps()) {
        let mut map = PageMap::new();
        let mut model = BTreeMap::new();
        let mut snapshots = Vec::new();
        for step in steps {
            match step {
                Step::Insert(page, value) => {
                    prop_assert_eq!(map.insert(PageNumber(page), value), model.insert(page, value));
                }
                Step::Remove(page) => {
                    prop_assert_eq!(map.remove(PageNumber(page)), model.remove(&page));
                }
                Step::Change(page, value) => {
                    let places = (map.get_mut(PageNumber(page)), model.get_mut(&page));
                    match places {
                        (Some(ours), Some(theirs)) => (*ours, *theirs) = (value, value),
                        (ours, theirs) => prop_assert_eq!(ours, theirs),
                    }
                }
                Step::Ensure(page, value) => {
                    let ours = map.get_or_insert_with(PageNumber(page), || value);
                    let theirs = model.entry(page).or_insert(value);
                    prop_assert_eq!(&*ours, &*theirs);
                    *ours = ours.wrapping_add(1);
                    *theirs = theirs.wrapping_add(1);
                }
                Step::Snapshot => snapshots.push((map.clone(), model.clone())),
            }
            prop_assert!(is_canonical(&map));
        }
        assert_same(&map, &model);
        for page in model.keys().copied().chain(0..50) {
            prop_assert_eq!(map.get(PageNumber(page)), model.get(&page));
            prop_assert_eq!(map.contains(PageNumber(page)), model.contains_key(&page));
        }
        for (snapshot, then) in &snapshots {
            assert_same(snapshot, then);
            prop_assert_eq!(*snapshot == map, then == &model);
        }
    }

    #[test]
    fn equal_content_is_an_equal_map(
        pages in prop::collection::btree_map(pages(), any::<u32>(), 0..30),
        passing in prop::collection::vec(pages(), 0..30),
    ) {
        let numbered = |(page, value)| (PageNumber(page), value);
        let ascending: PageMap<u32> = pages.clone().into_iter().map(numbered).collect();
        let mut other = PageMap::new();
        other.extend(passing.iter().map(|page| (PageNumber(*page), 0)));
        other.extend(pages.clone().into_iter().rev().map(numbered));
        for page in passing.iter().filter(|page| !pages.contains_key(page)) {
            other.remove(PageNumber(*page));
        }
        prop_assert_eq!(&ascending, &other);
        prop_assert_eq!(ascending.shift, other.shift);
    }
}

#[test]
fn a_write_copies_only_the_way_to_its_page() {
    let pages = (0..1000).map(|page| (PageNumber(page), Arc::new(page)));
    let mut map: PageMap<Arc<u64>> = pages.collect();
    let snapshot = map.clone();
    *map.get_mut(PageNumber(500)).unwrap() = Arc::new(7);
    let shared = |page| Arc::strong_count(snapshot.get(PageNumber(page)).unwrap()) == 1;
    // What lies in a shared leaf is held once, by that leaf; in a copied one twice, by both.
    let copied: Vec<u64> = (0..1000).filter(|page| *page != 500 && !shared(*page)).collect();
    let leaf = 500 / WIDTH as u64 * WIDTH as u64;
    assert!(copied.iter().all(|page| (leaf..leaf + WIDTH as u64).contains(page)));
    assert_eq!(copied.len(), WIDTH - 1);
    assert_eq!(**snapshot.get(PageNumber(500)).unwrap(), 500);
}

#[test]
fn looking_for_an_absent_page_copies_nothing() {
    let mut map: PageMap<u32> = [(PageNumber(1), 1)].into_iter().collect();
    let snapshot = map.clone();
    assert_eq!(map.get_mut(PageNumber(2)), None);
    assert_eq!(map.remove(PageNumber(2)), None);
    let roots = [&map, &snapshot].map(|map| Arc::as_ptr(map.root.as_ref().unwrap()));
    assert_eq!(roots[0], roots[1]);
}
