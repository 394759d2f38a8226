//! One session for transaction after transaction: what it holds goes, its memory stays.

use super::{Effects, Session};

/// What a session's lists and maps may have room for if it is to be used again: each coroutine keeps one, some
/// kilobytes.
const MOST_ROOM: usize = 32;

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

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use ruint::aliases::U256;

    use super::*;
    use crate::{
        region::{
            Output,
            config::SharedMemoryConfig,
            direct::DirectRegions,
            handle::{Address, Handle},
            operation::{Call, Operation},
            regions::Regions,
        },
        sync::Arc,
    };

    /// Numbers that look random, the same for one seed (splitmix64).
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            (word ^ word >> 31) % sides
        }
    }

    fn operation(dice: &mut Dice, handles: &[Handle]) -> Operation {
        let number = U256::from;
        let handle = match handles {
            [] => Handle::default(),
            handles => handles[dice.roll(handles.len() as u64) as usize],
        };
        let mapping = number(1 + dice.roll(3));
        match dice.roll(12) {
            0 => Operation::Alloc { size: number(dice.roll(9_000)), class: number(dice.roll(5)) },
            1 | 2 => Operation::Create {
                name: [dice.roll(4) as u8; 32],
                size: number(dice.roll(9_000)),
                permissions: number(7),
                options: number(dice.roll(8)),
            },
            3..=5 => {
                let (options, zero) = (number(dice.roll(3)), U256::ZERO);
                Operation::Map { handle, options, offset: zero, size: zero }
            }
            6 => Operation::Unmap { mapping },
            7 => Operation::Destroy { handle },
            8 => Operation::Info { handle },
            9 => {
                let grantee = number(dice.roll(3));
                Operation::Grant { handle, address: grantee, permissions: number(dice.roll(8)) }
            }
            _ => Operation::Write {
                mapping,
                offset: number(dice.roll(9_000)),
                len: number(dice.roll(300)),
            },
        }
    }

    /// Carries out a program and says what came of each step.
    fn run(session: &mut Session, world: &mut DirectRegions, seed: u64, steps: u64) -> Vec<String> {
        let mut dice = Dice(seed);
        let mut handles = Vec::new();
        let mut log = Vec::new();
        for _ in 0..steps {
            match dice.roll(10) {
                0 => session.checkpoint(dice.roll(3) > 0),
                1 if session.checkpoints() > 0 => session.commit(),
                2 if session.checkpoints() > 0 => session.revert(),
                _ => {
                    let operation = operation(&mut dice, &handles);
                    let actor = Address::from_number(dice.roll(2));
                    let (frame, is_static) = (session.depth(), dice.roll(20) == 0);
                    let call = Call { frame, actor, is_static, gas: dice.roll(400_000) };
                    let done = session.analyse(world, &call, &operation).map(|plan| {
                        let gas = plan.gas;
                        let output = match operation {
                            Operation::Write { len, .. } => {
                                session.write(plan, &vec![dice.roll(255) as u8; len.to()])
                            }
                            _ => session.execute(plan),
                        };
                        if let Output::Handle(Some(handle)) = output {
                            handles.push(handle);
                        }
                        (gas, output)
                    });
                    log.push(format!("{operation:?}: {done:?}"));
                }
            }
        }
        log
    }

    #[test]
    fn a_session_that_was_used_before_is_as_good_as_a_new_one() {
        let config = Arc::new(SharedMemoryConfig::testing().chain);
        let world = || DirectRegions::new(config.clone(), Arc::new(Regions::new()), 1);
        let mut used = Session::new(config.clone(), 0);
        let (mut again, mut worked) = (0, 0);
        for seed in 0..400 {
            let depth = (seed % 3) as usize;
            let mut fresh = Session::new(config.clone(), depth);
            let expected = run(&mut fresh, &mut world(), seed, 40);
            worked += expected.iter().filter(|line| line.contains("Ok(")).count();
            // Whatever came before: some long, some short, with checkpoints open or not, kept or dropped.
            let steps = if seed % 7 == 0 { 900 } else { seed % 90 };
            run(&mut used, &mut world(), seed + 1_000, steps);
            let is_small = if seed % 3 == 0 { used.clear() } else { used.end(seed % 2 == 0).1 };
            match is_small {
                true => used.begin_at(depth),
                false => used = Session::new(config.clone(), depth),
            }
            again += u32::from(is_small);
            assert_eq!(run(&mut used, &mut world(), seed, 40), expected, "seed {seed}");
            assert_eq!(used.depth(), fresh.depth());
            let ((effects, is_small), keep) = (used.end(seed % 5 > 0), seed % 5 > 0);
            assert_eq!(told(effects), told(fresh.finish(keep)), "seed {seed}");
            match is_small {
                true => used.begin_at(0),
                false => used = Session::new(config.clone(), 0),
            }
        }
        assert!((200..400).contains(&again), "{again} were used again");
        assert!(worked > 2_500, "{worked} operations worked");
    }

    /// What effects say, in an order that does not hang on that of a map.
    fn told(effects: Effects) -> Vec<String> {
        fn lines<T: std::fmt::Debug>(name: &str, all: &[T], lines: &mut Vec<String>) {
            lines.extend(all.iter().map(|one| format!("{name} {one:?}")));
        }
        let mut told = vec![format!("{:?}", effects.usage)];
        lines("saw", &effects.meta_seen, &mut told);
        lines("changed", &effects.meta_changes, &mut told);
        lines("saw page", &effects.pages_seen, &mut told);
        lines("changed page", &effects.page_changes, &mut told);
        lines("used", &effects.used, &mut told);
        lines("denied", &effects.denied, &mut told);
        told.sort_unstable();
        told
    }
}
