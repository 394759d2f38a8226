//! A persistent map from page number to anything: cloning it is a snapshot, in constant time.
//!
//! ```text
//!   PageMap ──► branch ──► branch ──► leaf ──► values        16 slots each, empty ones included
//!                  ╲           ╲
//!   snapshot ──► branch ──► branch ──► leaf                  nodes are shared until somebody writes
//! ```
//!
//! A radix tree of [`Arc`] nodes over the page number, four bits a level. It is as high as its largest
//! page number needs, so a region of 16 pages is one node. A write copies the nodes on the way to the
//! page that are shared with a snapshot, and no others; nothing that a snapshot reaches changes, for
//! the reason that [`page`](super::page) gives. Its shape is a function of its content: there are no
//! empty nodes and no spare levels.
//!
//! # Why not a map of `im`
//!
//! `im`'s maps know no order of pages (the hash map) or search for keys that are indices already (the
//! ordered one). Measured with `cargo bench --bench region -- than`, which still does, on one core
//! with pages behind `Arc`s (16,384 of them are a region of 64 MiB):
//!
//! | | this tree | `im::OrdMap` | `im::HashMap` |
//! |---|---|---|---|
//! | get one of 1 | 1.7 ns | 3.1 ns | 8.6 ns |
//! | get one of 16 | 1.7 ns | 4.9 ns | 10.0 ns |
//! | get one of 16,384, at random | 4.7 ns | 48 ns | 23 ns |
//! | snapshot and first write, 16 pages | 84 ns | 97 ns | 114 ns |
//! | snapshot and first write, 16,384 pages | 297 ns | 411 ns | 629 ns |
//! | snapshot and a write to each of 16,384 | 304 µs | 1.08 ms | 764 µs |
//! | fill with 16,384 in order | 302 µs | 1.29 ms | 879 µs |
//! | iterate over 16,384 in order | 33 µs | 58 µs | 59 µs, unordered |
//!
//! With three bits a level a random get takes 40 % longer and a first write a quarter less; with five a
//! get is a quarter faster and a first write takes a quarter longer, because copying a node
//! counts a reference to each of its children. A single page at 2^52 costs 13 nodes of 150 bytes.

use std::fmt;

use crate::sync::{Arc, Witness, weakened};

/// Position of a page in its region: its first byte's offset divided by 4096.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageNumber(pub u64);

impl fmt::Display for PageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Bits of the page number that a level decides.
const LEVEL_BITS: u32 = 4;
/// Slots of a node.
const WIDTH: usize = 1 << LEVEL_BITS;

/// A persistent map from page number to `V`. To clone it takes constant time and copies nothing.
#[derive(Clone)]
pub struct PageMap<V> {
    root: Option<Arc<Node<V>>>,
    /// Which bits of the page number choose the root's slot: those from this one on. Zero if the
    /// root is a leaf.
    shift: u32,
    len: usize,
}

#[derive(Clone)]
struct Node<V> {
    slots: Slots<V>,
    /// The slots, as far as an explorer is concerned.
    witness: Witness,
}

/// Which of them it is follows from the level: leaves are at shift zero.
#[derive(Clone)]
enum Slots<V> {
    Branch([Option<Arc<Node<V>>>; WIDTH]),
    Leaf([Option<V>; WIDTH]),
}

/// The slot of a page in a node whose slots are chosen by the bits from `shift` on.
#[inline]
fn slot(page: PageNumber, shift: u32) -> usize {
    (page.0 >> shift) as usize % WIDTH
}

impl<V> Node<V> {
    fn new(shift: u32) -> Arc<Self> {
        let slots = match shift {
            0 => Slots::Leaf([const { None }; WIDTH]),
            _ => Slots::Branch([const { None }; WIDTH]),
        };
        Arc::new(Self { slots, witness: Witness::default() })
    }

    #[inline]
    fn slots(&self) -> &Slots<V> {
        self.witness.read();
        &self.slots
    }

    fn is_empty(&self) -> bool {
        match &self.slots {
            Slots::Branch(children) => children.iter().all(Option::is_none),
            Slots::Leaf(values) => values.iter().all(Option::is_none),
        }
    }
}

impl<V: Clone> Node<V> {
    /// The slots, to be written: those of a copy if a snapshot holds the node.
    #[inline]
    fn slots_mut(node: &mut Arc<Self>) -> &mut Slots<V> {
        if weakened("page_map.copy-shared") {
            // What a write in place would do to those who hold the node.
            node.witness.overwrite();
        }
        let node = Arc::make_mut(node);
        node.witness.renew();
        &mut node.slots
    }

    /// Takes the value of a page that is there, and the nodes with it that it leaves empty.
    fn remove(node: &mut Arc<Self>, page: PageNumber, shift: u32) -> Option<V> {
        match Self::slots_mut(node) {
            Slots::Leaf(values) => values[slot(page, shift)].take(),
            Slots::Branch(children) => {
                let child = &mut children[slot(page, shift)];
                let value = Self::remove(child.as_mut()?, page, shift - LEVEL_BITS);
                if child.as_ref().is_some_and(|child| child.is_empty()) {
                    *child = None;
                }
                value
            }
        }
    }
}

impl<V> PageMap<V> {
    /// A map without pages.
    #[must_use]
    pub fn new() -> Self {
        Self { root: None, shift: 0, len: 0 }
    }

    /// How many pages it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no page.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it has this page.
    #[inline]
    #[must_use]
    pub fn contains(&self, page: PageNumber) -> bool {
        self.get(page).is_some()
    }

    /// The value of a page.
    #[inline]
    #[must_use]
    pub fn get(&self, page: PageNumber) -> Option<&V> {
        if !self.reaches(page) {
            return None;
        }
        let mut node = self.root.as_deref()?;
        let mut shift = self.shift;
        loop {
            match node.slots() {
                Slots::Leaf(values) => return values[slot(page, 0)].as_ref(),
                Slots::Branch(children) => {
                    node = children[slot(page, shift)].as_deref()?;
                    shift -= LEVEL_BITS;
                }
            }
        }
    }

    /// All pages with their values, in ascending order.
    pub fn iter(&self) -> Iter<'_, V> {
        let root = self.root.as_deref();
        let frame = |node| Frame { node, shift: self.shift, first: 0, next: 0 };
        Iter { path: root.map(frame).into_iter().collect(), left: self.len }
    }

    /// Whether the tree is high enough for the page.
    #[inline]
    fn reaches(&self, page: PageNumber) -> bool {
        page.0.unbounded_shr(self.shift + LEVEL_BITS) == 0
    }
}

impl<V: Clone> PageMap<V> {
    /// The value of a page, to be changed. Copies what a snapshot shares on the way to it, and
    /// nothing if the page is absent.
    #[inline]
    pub fn get_mut(&mut self, page: PageNumber) -> Option<&mut V> {
        if !self.contains(page) {
            return None;
        }
        let mut node = self.root.as_mut()?;
        let mut shift = self.shift;
        loop {
            match Node::slots_mut(node) {
                Slots::Leaf(values) => return values[slot(page, 0)].as_mut(),
                Slots::Branch(children) => {
                    node = children[slot(page, shift)].as_mut()?;
                    shift -= LEVEL_BITS;
                }
            }
        }
    }

    /// Sets the value of a page; returns the one before.
    pub fn insert(&mut self, page: PageNumber, value: V) -> Option<V> {
        let before = self.slot_mut(page).replace(value);
        self.len += usize::from(before.is_none());
        before
    }

    /// The value of a page, to be changed; if it is absent, first `value()` is put there.
    pub fn get_or_insert_with(&mut self, page: PageNumber, value: impl FnOnce() -> V) -> &mut V {
        // Not in one go, because the length must not change before `value` has returned.
        if !self.contains(page) {
            self.insert(page, value());
        }
        let place = self.slot_mut(page);
        place.as_mut().expect("it was there or has just been inserted")
    }

    /// Takes a page out; returns its value.
    pub fn remove(&mut self, page: PageNumber) -> Option<V> {
        // An absent page is no reason to copy.
        if !self.contains(page) {
            return None;
        }
        let value = Node::remove(self.root.as_mut()?, page, self.shift)?;
        self.len -= 1;
        self.lower();
        Some(value)
    }

    /// The slot of a page in its leaf, which is made if there is none.
    fn slot_mut(&mut self, page: PageNumber) -> &mut Option<V> {
        while !self.reaches(page) {
            self.raise();
        }
        let mut shift = self.shift;
        let mut node = self.root.get_or_insert_with(|| Node::new(shift));
        loop {
            match Node::slots_mut(node) {
                Slots::Leaf(values) => return &mut values[slot(page, 0)],
                Slots::Branch(children) => {
                    let child = &mut children[slot(page, shift)];
                    shift -= LEVEL_BITS;
                    node = child.get_or_insert_with(|| Node::new(shift));
                }
            }
        }
    }

    /// Adds a level on top.
    fn raise(&mut self) {
        self.shift += LEVEL_BITS;
        // Without pages there is nothing to put under the level; the root is made where it is needed.
        if let Some(below) = self.root.take() {
            let mut children = [const { None }; WIDTH];
            children[0] = Some(below);
            let slots = Slots::Branch(children);
            self.root = Some(Arc::new(Node { slots, witness: Witness::default() }));
        }
    }

    /// Takes the levels away that no page needs any more.
    fn lower(&mut self) {
        if self.len == 0 {
            *self = Self::new();
        }
        while let Some(root) = &self.root
            && let Slots::Branch(children) = root.slots()
            && children[1..].iter().all(Option::is_none)
        {
            self.root = children[0].clone();
            self.shift -= LEVEL_BITS;
        }
    }
}

impl<V> Default for PageMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: fmt::Debug> fmt::Debug for PageMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<V: PartialEq> PartialEq for PageMap<V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other)
    }
}

impl<V: Eq> Eq for PageMap<V> {}

impl<V: Clone> Extend<(PageNumber, V)> for PageMap<V> {
    fn extend<I: IntoIterator<Item = (PageNumber, V)>>(&mut self, pages: I) {
        for (page, value) in pages {
            self.insert(page, value);
        }
    }
}

impl<V: Clone> FromIterator<(PageNumber, V)> for PageMap<V> {
    fn from_iter<I: IntoIterator<Item = (PageNumber, V)>>(pages: I) -> Self {
        let mut map = Self::new();
        map.extend(pages);
        map
    }
}

impl<'a, V> IntoIterator for &'a PageMap<V> {
    type Item = (PageNumber, &'a V);
    type IntoIter = Iter<'a, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The pages of a [`PageMap`] with their values, ascending.
#[derive(Clone)]
pub struct Iter<'a, V> {
    /// From the root to the node at hand.
    path: Vec<Frame<'a, V>>,
    left: usize,
}

#[derive(Clone)]
struct Frame<'a, V> {
    node: &'a Node<V>,
    shift: u32,
    /// The first page number under the node.
    first: u64,
    /// The slot to look at next.
    next: usize,
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (PageNumber, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let frame = self.path.last_mut()?;
            if frame.next == WIDTH {
                self.path.pop();
                continue;
            }
            let first = frame.first | (frame.next as u64) << frame.shift;
            let (slot, shift) = (frame.next, frame.shift);
            frame.next += 1;
            match frame.node.slots() {
                Slots::Leaf(values) => {
                    if let Some(value) = &values[slot] {
                        self.left -= 1;
                        return Some((PageNumber(first), value));
                    }
                }
                Slots::Branch(children) => {
                    if let Some(node) = &children[slot] {
                        self.path.push(Frame { node, shift: shift - LEVEL_BITS, first, next: 0 });
                    }
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<V> ExactSizeIterator for Iter<'_, V> {}

#[cfg(test)]
mod tests;
