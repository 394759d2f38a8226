//! One session for transaction after transaction: what it holds goes, its memory stays.

use super::{Effects, Session};

/// What a session's lists and maps may have room for if it is to be used again.
const MOST_ROOM: usize = 256;

impl Session {
    /// Ends the session as [`Session::finish`] does, and empties it for the next transaction of the same
    /// chain ([`Session::begin_at`]), unless it has grown so much that its memory is better given back:
    /// `false`. A session of its own for each transaction costs a dozen allocations, some of them the
    /// only ones of their size, for which the allocator took a fresh page each time.
    pub(crate) fn end(&mut self, keep: bool) -> (Effects, bool) {
        let effects = self.take_effects(keep);
        (effects, self.clear())
    }

    /// Empties the session. `false`: it is too large to be used again.
    pub(crate) fn clear(&mut self) -> bool {
        let maps = [self.names.capacity(), self.handles.capacity(), self.own_names.capacity()];
        let lists = [self.regions.capacity(), self.frames.capacity(), self.journal.capacity()];
        let room = maps.into_iter().chain(lists).max().unwrap_or(0).max(self.warm.capacity());
        if room > MOST_ROOM {
            return false;
        }
        let empty = Self::empty(self.config.clone());
        let mut old = std::mem::replace(self, empty);
        old.regions.clear();
        old.names.clear();
        old.handles.clear();
        old.own_names.clear();
        old.warm.clear();
        old.journal.clear();
        old.marks.clear();
        old.frames.drain(..).for_each(|frame| frame.keep_in(&mut old.spare));
        let Self { regions, names, handles, own_names, warm, frames, .. } = old;
        let (journal, marks, spare) = (old.journal, old.marks, old.spare);
        (self.regions, self.names, self.handles) = (regions, names, handles);
        (self.own_names, self.warm, self.frames) = (own_names, warm, frames);
        (self.journal, self.marks, self.spare) = (journal, marks, spare);
        true
    }
}
