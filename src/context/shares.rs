//! Pieces of a work that whoever has time makes, and that nobody waits for longer than to make them takes.
//!
//! ```text
//!   caller   open ─► makes 0, 2, 3 ─────► finish: takes 0, 1, 2, 3, and makes what is not there
//!   helper     ···· comes ─► makes 1, …
//! ```
//!
//! A helper may come late, or not at all, or be put off its core in the middle of a piece. The caller has
//! all pieces to itself then: what was begun and is not there after a while is made again. So a piece
//! has to come out the same whoever makes it, and however often.
//!
//! Invariants
//!
//! 1. Each piece is claimed once by a helper or the caller, or by nobody before the caller finishes.
//! 2. A piece is in its place whole or not at all, and is taken once.
//!
//! `loom-tests/context_shares.rs` explores it.

use crate::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
    hint,
    time::{Duration, Instant},
    weakened,
};

/// How often the caller looks for a piece that another is making, before it asks what time it is: about as long as a
/// small one takes.
const LOOKS: u32 = if cfg!(any(chorus_loom, chorus_shuttle)) { 1 } else { 256 };

/// A work in pieces.
#[derive(Debug)]
pub struct Shares<T> {
    next: AtomicU32,
    pieces: Box<[Mutex<Option<T>>]>,
}

impl<T> Shares<T> {
    /// So many pieces, none of them made.
    #[must_use]
    pub fn new(pieces: usize) -> Self {
        let pieces = (0..pieces).map(|_| Mutex::new(None)).collect();
        Self { next: AtomicU32::new(0), pieces }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Makes pieces until all are made or being made.
    pub fn help(&self, make: impl Fn(usize) -> T) {
        while let Some(at) = self.claim() {
            let made = make(at);
            *self.pieces[at].lock() = Some(made);
        }
    }

    /// Helps, and returns all pieces. Called once. One that another is making is waited for as long as a few looks
    /// take, or `patience`, and then made again.
    pub fn finish(&self, patience: Duration, make: impl Fn(usize) -> T) -> Vec<T> {
        self.help(&make);
        let made = (0..self.pieces.len()).filter_map(|at| match self.await_piece(at, patience) {
            None if !weakened("shares.make-again") => Some(make(at)),
            made => made,
        });
        made.collect()
    }

    fn await_piece(&self, at: usize, patience: Duration) -> Option<T> {
        let take = || self.pieces[at].lock().take();
        let look = || {
            let made = take();
            if made.is_none() {
                hint::spin_loop();
            }
            made
        };
        if let Some(made) = (0..LOOKS).find_map(|_| look()) {
            return Some(made);
        }
        let begin = Instant::now();
        while begin.elapsed() < patience {
            if let Some(made) = look() {
                return Some(made);
            }
        }
        None
    }

    fn claim(&self) -> Option<usize> {
        // Relaxed: the index is all that is handed over.
        let at = self.next.fetch_add(1, Ordering::Relaxed) as usize;
        (at < self.pieces.len()).then_some(at)
    }
}
