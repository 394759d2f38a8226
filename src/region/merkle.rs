//! A commitment to a map: a persistent trie whose root hash is a function of the content alone.
//!
//! ```text
//!            branch, bit 0                 keys are 256 bits, first bit first
//!           ╱             ╲
//!       leaf 0…        branch, bit 2       a branch is where two keys first differ: bit 1 is the
//!                     ╱             ╲      same for all keys on the right, so it has no branch
//!                 leaf 1?0…      leaf 1?1…
//! ```
//!
//! A binary trie without one-child nodes. Where a key's branches are depends on the keys alone, not
//! on the order they came in, and a leaf holds its whole key. So there is one trie per content.
//!
//! # Layout
//!
//! | what | bytes hashed with keccak256 | length |
//! |---|---|---|
//! | leaf | `00` ‖ key (32) ‖ value (32) | 65 |
//! | branch | `01` ‖ bit (1, from 0 for the highest bit of the key's first byte) ‖ hash of the side where it is 0 (32) ‖ hash of the other side (32) | 66 |
//! | root | the hash of the topmost node; 32 zero bytes if there is no key | |
//!
//! # Why two contents never have one root
//!
//! Unless somebody finds a collision of keccak256: the first byte, and the length, tell a leaf from a
//! branch, and every field has a fixed place, so a hash names one node and, through its children's
//! hashes, one trie. The trie names its content: the keys and values of its leaves. A value that is
//! itself a hash of a node does not help, since it is hashed again under a leaf's first byte. The empty
//! root is nobody's hash, as far as anybody can find out. A value of zeros is a value like any
//! other, and differs from an absent key.
//!
//! # Cost
//!
//! A node keeps its hash once it is computed, and an update forgets the hashes on its own way only. So a
//! root after `k` updates hashes what they touched: about `k · log₂(n ÷ k)` nodes and those the ways
//! share, at one permutation each. A trie of 16 children a node would need four
//! permutations for one node in place of four, and so gain nothing.
//!
//! Whoever chooses keys can make ways of up to 256 branches. The keys here are hashes, so that
//! takes work exponential in the length.

use super::keccak::keccak256;
use crate::sync::{Arc, OnceLock};

/// A key, a value, or a hash.
pub type Bytes32 = [u8; 32];

/// The root of a map without keys.
pub const EMPTY_ROOT: Bytes32 = [0; 32];

const LEAF: u8 = 0;
const BRANCH: u8 = 1;

/// A persistent map with a commitment to its content. To clone it takes constant time.
#[derive(Clone, Debug, Default)]
pub struct MerkleMap {
    top: Option<Arc<Node>>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Node {
    /// Empty from a change below until a root is asked for. What is put in is a function of the
    /// content, so it does not matter who is first.
    hash: OnceLock<Bytes32>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Leaf { key: Bytes32, value: Bytes32 },
    Branch { bit: u8, sides: [Arc<Node>; 2] },
}

/// Which side of a branch at `bit` the key is on.
fn side(key: &Bytes32, bit: u8) -> usize {
    usize::from(key[usize::from(bit / 8)] >> (7 - bit % 8) & 1)
}

/// The first bit in which the keys differ.
fn first_difference(a: &Bytes32, b: &Bytes32) -> Option<u8> {
    let byte = a.iter().zip(b).position(|(a, b)| a != b)?;
    // A key has 256 bits, so this fits.
    Some((byte as u32 * 8 + (a[byte] ^ b[byte]).leading_zeros()) as u8)
}

impl Node {
    fn new(kind: Kind) -> Arc<Self> {
        Arc::new(Self { hash: OnceLock::new(), kind })
    }

    fn hash(&self) -> Bytes32 {
        *self.hash.get_or_init(|| match &self.kind {
            Kind::Leaf { key, value } => keccak256(&[&[LEAF], key, value]),
            Kind::Branch { bit, sides: [zero, one] } => {
                keccak256(&[&[BRANCH, *bit], &zero.hash(), &one.hash()])
            }
        })
    }

    /// The leaf that a walk by the key ends at: the key's own if it is there.
    fn nearest(&self, key: &Bytes32) -> (&Bytes32, &Bytes32) {
        let mut node = self;
        loop {
            match &node.kind {
                Kind::Leaf { key, value } => return (key, value),
                Kind::Branch { bit, sides } => node = &sides[side(key, *bit)],
            }
        }
    }

    /// The node, to be changed: a copy if a snapshot holds it. Its hash is forgotten.
    fn change(node: &mut Arc<Self>) -> &mut Kind {
        let node = Arc::make_mut(node);
        node.hash = OnceLock::new();
        &mut node.kind
    }

    /// Sets the value of a key that is there.
    fn replace(mut node: &mut Arc<Self>, key: &Bytes32, new: Bytes32) {
        loop {
            match Self::change(node) {
                Kind::Leaf { value, .. } => {
                    *value = new;
                    return;
                }
                Kind::Branch { bit, sides } => node = &mut sides[side(key, *bit)],
            }
        }
    }

    /// Puts a new leaf in, whose key first differs at `at` from those around it.
    fn branch_off(mut node: &mut Arc<Self>, leaf: Arc<Self>, key: &Bytes32, at: u8) {
        while let Kind::Branch { bit, .. } = node.kind
            && bit < at
        {
            // The pattern again, because the branch may be a copy now.
            let Kind::Branch { sides, .. } = Self::change(node) else { return };
            node = &mut sides[side(key, bit)];
        }
        let below = node.clone();
        let sides = if side(key, at) == 0 { [leaf, below] } else { [below, leaf] };
        *node = Self::new(Kind::Branch { bit: at, sides });
    }

    /// Takes a key out that is there, and the branch above it, whose other side moves up.
    fn remove(mut node: &mut Arc<Self>, key: &Bytes32) {
        while let Kind::Branch { bit, sides } = &node.kind {
            let (own, bit) = (side(key, *bit), *bit);
            if let Kind::Leaf { .. } = sides[own].kind {
                *node = sides[1 - own].clone();
                return;
            }
            let Kind::Branch { sides, .. } = Self::change(node) else { return };
            node = &mut sides[side(key, bit)];
        }
    }
}

impl MerkleMap {
    /// A map without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &Bytes32) -> Option<&Bytes32> {
        let (nearest, value) = self.top.as_ref()?.nearest(key);
        (nearest == key).then_some(value)
    }

    /// Sets the value of a key; returns the one before. To set the same again costs no hash.
    pub fn insert(&mut self, key: Bytes32, value: Bytes32) -> Option<Bytes32> {
        let Some(top) = &mut self.top else {
            self.top = Some(Node::new(Kind::Leaf { key, value }));
            self.len = 1;
            return None;
        };
        let (nearest, before) = top.nearest(&key);
        let before = *before;
        match first_difference(nearest, &key) {
            None => {
                if before != value {
                    Node::replace(top, &key, value);
                }
                Some(before)
            }
            Some(at) => {
                Node::branch_off(top, Node::new(Kind::Leaf { key, value }), &key, at);
                self.len += 1;
                None
            }
        }
    }

    /// Takes a key out; returns its value.
    pub fn remove(&mut self, key: &Bytes32) -> Option<Bytes32> {
        let before = *self.get(key)?;
        self.len -= 1;
        match &mut self.top {
            Some(top) if self.len > 0 => Node::remove(top, key),
            top => *top = None,
        }
        Some(before)
    }

    /// The commitment to the content. Hashes what has changed since it was last asked for, here or
    /// in a map that this one shares nodes with.
    #[must_use]
    pub fn root(&self) -> Bytes32 {
        self.top.as_ref().map_or(EMPTY_ROOT, |top| top.hash())
    }

    /// All keys with their values, in ascending order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes32, &Bytes32)> {
        let mut left: Vec<&Node> = self.top.as_deref().into_iter().collect();
        std::iter::from_fn(move || {
            loop {
                match &left.pop()?.kind {
                    Kind::Leaf { key, value } => return Some((key, value)),
                    Kind::Branch { sides: [zero, one], .. } => left.extend([&**one, &**zero]),
                }
            }
        })
    }
}

/// Equal content, by the commitment.
impl PartialEq for MerkleMap {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.root() == other.root()
    }
}

impl Eq for MerkleMap {}

impl FromIterator<(Bytes32, Bytes32)> for MerkleMap {
    fn from_iter<I: IntoIterator<Item = (Bytes32, Bytes32)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

#[cfg(test)]
mod tests;
