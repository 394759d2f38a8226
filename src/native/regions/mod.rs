//! Regions of shared memory, as a closure uses them.
//!
//! ```text
//!  closure ── Regions::read, map, … ──► act ── session, world, call ──► Session   analyses, carries out
//!                                        │ a lower transaction is about to change it
//!                                        └──► waits, and asks again
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `error` | why an operation did not happen |
//! | `act` | one operation, asked for until it is decided |
//! | `whole` | operations on regions as a whole |
//! | `bytes` | operations that move bytes |
//! | `checkpoint` | checkpoints, and frames of a closure's own |

mod act;
mod bytes;
mod checkpoint;
mod error;
mod whole;

use std::{cell::RefCell, rc::Rc};

pub use self::{checkpoint::Checkpoint, error::SharedError};
use super::{Key, Value, View, view::Incarnation};

/// The regions of shared memory, as one closure sees them: the effects of all transactions before
/// it, and its own. From [`View::regions`].
///
/// The operations are those of the README's chapter on shared memory. They wait where a transaction
/// before this one is about to change what they depend on.
pub struct Regions<K, V> {
    incarnation: Rc<RefCell<Incarnation<K, V>>>,
}

impl<K, V> Clone for Regions<K, V> {
    fn clone(&self) -> Self {
        Self { incarnation: self.incarnation.clone() }
    }
}

impl<K, V> std::fmt::Debug for Regions<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Regions").finish_non_exhaustive()
    }
}

impl<K: Key, V: Value> View<K, V> {
    /// The regions of shared memory. Without shared memory every operation is [`SharedError::Off`].
    #[must_use]
    pub fn regions(&self) -> Regions<K, V> {
        Regions { incarnation: self.incarnation.clone() }
    }
}
