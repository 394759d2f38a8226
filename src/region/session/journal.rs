//! The ordered record of a transaction's region operations, with nested checkpoints.
//!
//! ```text
//!  journal   [ undo | undo | undo | undo | undo ]
//!  marks       ▲0            ▲1            ▲2      one per open checkpoint: a position and an epoch
//!  frames    base            1             2       one more than marks that are frames
//! ```
//!
//! Taking a checkpoint notes a position. Reverting plays the entries above it backwards. Committing
//! forgets the mark; the entries stay, for the checkpoint outside. A page or private page is entered
//! once per checkpoint: it carries the epoch of the checkpoint that has it, and epochs only grow, so
//! "entered since the innermost open checkpoint" is one comparison. Whatever a leaf's entry holds on
//! to is shared, so the next write copies the page: that is the copy-on-write fault.
//!
//! Not journaled: what was observed (it decided what happened, so it stays an observation whatever is
//! reverted), what was loaded from the world, and counts of operations.
//!
//! A frame ends at commit, and its mappings with it. Its end is an entry of its own, which holds the
//! frame, so that an outer revert finds the mappings that the frame's own entries speak of.

use super::{
    super::{
        handle::{Address, Handle, RegionId},
        page_map::PageNumber,
        rights::Permissions,
    },
    Session,
    frame::{Frame, Private},
    local::{Before, RegionNumber},
};
use crate::pool::Class;

/// What takes one change back.
pub(super) enum Undo {
    /// A page's content and what goes with it.
    Leaf {
        region: RegionNumber,
        page: PageNumber,
        before: Before,
    },
    /// A page was touched first.
    PageWarm {
        region: RegionNumber,
        page: PageNumber,
    },
    /// A name or region was looked up first.
    Warm(RegionId),
    /// What a name stands for.
    Name {
        id: RegionId,
        generation: u64,
        current: Option<RegionNumber>,
    },
    /// A region was created. Its number is not used again: regions loaded from the world since may
    /// stand behind it.
    Created {
        region: RegionNumber,
        handle: Option<Handle>,
    },
    /// A name of the transaction's own stands for another region.
    OwnName {
        id: RegionId,
        before: Option<Handle>,
    },
    /// A region was destroyed.
    Destroyed {
        region: RegionNumber,
        live: Box<super::super::meta::Live>,
    },
    Size {
        region: RegionNumber,
        before: u64,
    },
    Grant {
        region: RegionNumber,
        address: Address,
        before: Permissions,
    },
    /// The last mapping of a frame was made.
    Mapped {
        frame: usize,
    },
    Unmapped {
        frame: usize,
        at: usize,
    },
    /// A private page of a mapping.
    Private {
        frame: usize,
        at: usize,
        page: PageNumber,
        before: Option<Box<Private>>,
    },
    /// A frame wrote a page first.
    Written {
        frame: usize,
        key: (RegionNumber, PageNumber),
    },
    Memory {
        words: u64,
    },
    /// A block was taken, or given back.
    Block {
        class: Class,
        before: u32,
    },
    FrameEnded {
        depth: usize,
        frame: Box<Frame>,
    },
}

/// An open checkpoint.
pub(super) struct Mark {
    position: usize,
    epoch: u64,
    /// It began a frame.
    frame: bool,
    /// Frames there were before it.
    frames: usize,
}

impl Session {
    /// Opens a checkpoint. `frame` tells whether a call frame begins with it: its mappings end when
    /// the checkpoint does.
    pub fn checkpoint(&mut self, frame: bool) {
        self.epoch += 1;
        let (position, frames) = (self.journal.len(), self.frames.len());
        self.marks.push(Mark { position, epoch: self.epoch, frame, frames });
        if frame {
            self.begin_frame();
        }
    }

    pub(super) fn begin_frame(&mut self) {
        self.serial += 1;
        let frame = self.spare.pop().unwrap_or_default();
        self.frames.push(Frame { serial: self.serial, ..frame });
    }

    /// Number of open checkpoints.
    #[must_use]
    pub fn checkpoints(&self) -> usize {
        self.marks.len()
    }

    /// Depth of the innermost frame, 0 for the transaction itself.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.frames.len() - 1
    }

    /// Closes the innermost checkpoint; what was done since stays. Without one, nothing happens.
    pub fn commit(&mut self) {
        let Some(mark) = self.marks.pop() else { return };
        if mark.frame
            && let Some(frame) = self.frames.pop()
        {
            for mapping in frame.live() {
                self.regions[mapping.region].mappings -= 1;
            }
            if self.marks.is_empty() || frame.is_unused() {
                frame.keep_in(&mut self.spare);
            } else {
                let depth = self.frames.len();
                self.journal.push(Undo::FrameEnded { depth, frame: Box::new(frame) });
            }
        }
        if self.marks.is_empty() {
            // Nothing can be reverted any more but by leaving the whole session.
            self.journal.clear();
        }
    }

    /// Takes back everything since the innermost checkpoint, and closes it. Without one, nothing
    /// happens.
    pub fn revert(&mut self) {
        let Some(mark) = self.marks.pop() else { return };
        while self.journal.len() > mark.position {
            let Some(undo) = self.journal.pop() else { break };
            self.undo(undo);
        }
        self.frames.truncate(mark.frames);
    }

    /// Epoch of the innermost open checkpoint.
    pub(super) fn mark_epoch(&self) -> u64 {
        self.marks.last().map_or(0, |mark| mark.epoch)
    }

    /// Enters a change, if there is a checkpoint to go back to.
    pub(super) fn enter(&mut self, undo: Undo) {
        if !self.marks.is_empty() {
            self.journal.push(undo);
        }
    }

    fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Leaf { region, page, before } => {
                if let Some(leaf) = self.regions[region].pages.get_mut(page) {
                    leaf.restore(before);
                }
            }
            Undo::PageWarm { region, page } => {
                if let Some(leaf) = self.regions[region].pages.get_mut(page) {
                    leaf.warm = false;
                }
            }
            Undo::Warm(id) => {
                self.warm.remove(&id);
            }
            Undo::Name { id, generation, current } => {
                if let Some(name) = self.names.get_mut(&id) {
                    name.generation = generation;
                    name.current = current;
                }
            }
            Undo::Created { region, handle } => {
                self.regions[region].live = None;
                self.created -= u32::from(self.regions[region].class.is_none());
                if let Some(handle) = handle {
                    self.handles.remove(&handle);
                    self.ordinal -= 1;
                }
            }
            Undo::OwnName { id, before } => {
                match before {
                    Some(handle) => self.own_names.insert(id, handle),
                    None => self.own_names.remove(&id),
                };
            }
            Undo::Destroyed { region, live } => self.regions[region].live = Some(*live),
            Undo::Size { region, before } => {
                if let Some(live) = &mut self.regions[region].live {
                    live.size = before;
                }
            }
            Undo::Grant { region, address, before } => {
                if let Some(live) = &mut self.regions[region].live {
                    live.grant(address, before);
                }
            }
            Undo::Mapped { frame } => {
                let Frame { mappings, windows, .. } = &mut self.frames[frame];
                if let Some(mapping) = mappings.pop() {
                    windows.remove(&mapping.window());
                    self.regions[mapping.region].mappings -= 1;
                }
            }
            Undo::Unmapped { frame, at } => {
                let Frame { mappings, windows, .. } = &mut self.frames[frame];
                let mapping = &mut mappings[at];
                mapping.live = true;
                windows.insert(mapping.window(), at);
                self.regions[mapping.region].mappings += 1;
            }
            Undo::Private { frame, at, page, before } => {
                if let Some(snapshot) = &mut self.frames[frame].mappings[at].snapshot {
                    snapshot.restore(page, before.map(|before| *before));
                }
            }
            Undo::Written { frame, key } => {
                self.frames[frame].written.remove(&key);
                if let Some(leaf) = self.regions[key.0].pages.get_mut(key.1) {
                    leaf.writer = 0;
                }
            }
            Undo::Memory { words } => self.words = words,
            Undo::Block { class, before } => {
                self.blocks.set(class, before);
            }
            Undo::FrameEnded { depth, frame } => {
                for mapping in frame.live() {
                    self.regions[mapping.region].mappings += 1;
                }
                // Frames that ended without a trace may lie below it, and its elder sisters above.
                self.frames.resize_with(depth, Frame::default);
                self.frames.push(*frame);
            }
        }
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use ruint::aliases::U256;

    use super::{
        super::super::{
            config::SharedMemoryConfig,
            content::PageKey,
            meta::Meta,
            operation::{Call, Operation},
            page::Page,
            sidecar::Sidecar,
            world::{Found, Interrupt, World},
        },
        *,
    };
    use crate::{registry::Lease, sync::Arc};

    /// Has nothing, and is not asked.
    struct Nothing;

    impl World for Nothing {
        fn meta(&mut self, _: RegionId) -> Result<Found<(Meta, Option<Lease>)>, Interrupt> {
            Err(Interrupt::Stop)
        }

        fn page(&mut self, _: PageKey) -> Result<Found<Option<Arc<Page>>>, Interrupt> {
            Err(Interrupt::Stop)
        }

        fn sidecar(&mut self, _: Handle) -> Option<Arc<Sidecar>> {
            None
        }
    }

    fn write(session: &mut Session, offset: u64, data: &[u8]) {
        let frame = session.depth();
        let call = Call { frame, actor: Address::from_number(1), is_static: false, gas: u64::MAX };
        let (mapping, offset) = (U256::ONE, U256::from(offset));
        let operation = Operation::Write { mapping, offset, len: U256::from(data.len()) };
        let plan = session.analyse(&mut Nothing, &call, &operation).unwrap();
        session.write(plan, data);
    }

    #[test]
    fn a_checkpoint_costs_nothing_and_a_revert_what_was_changed() {
        let config = Arc::new(SharedMemoryConfig::production().chain);
        let mut session = Session::new(config, 0);
        let call =
            Call { frame: 0, actor: Address::from_number(1), is_static: false, gas: u64::MAX };
        let (size, zero) = (U256::from(1 << 20), U256::ZERO);
        let alloc = Operation::Alloc { size, class: U256::from(4) };
        let plan = session.analyse(&mut Nothing, &call, &alloc).unwrap();
        let super::super::super::Output::Handle(Some(handle)) = session.execute(plan) else {
            panic!("an allocation gives a handle");
        };
        let map = Operation::Map { handle, options: zero, offset: zero, size: zero };
        let plan = session.analyse(&mut Nothing, &call, &map).unwrap();
        session.execute(plan);
        write(&mut session, 0, &vec![1; 1 << 20]);
        assert_eq!(session.journal.len(), 0, "there is nothing to go back to");

        for _ in 0..100 {
            session.checkpoint(false);
        }
        assert_eq!(session.journal.len(), 0);
        // One page, as often as it is written.
        for value in 0..50 {
            write(&mut session, 5000, &[value]);
        }
        assert_eq!(session.journal.len(), 1);
        session.commit();
        write(&mut session, 5000, &[99]);
        assert_eq!(session.journal.len(), 1, "the outer checkpoint has the page already");
        session.checkpoint(false);
        write(&mut session, 5000, &[100]);
        assert_eq!(session.journal.len(), 2);
        session.revert();
        session.revert();
        assert_eq!(session.journal.len(), 0);
    }
}
