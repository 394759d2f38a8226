//! Keeps a worker that sleeps off the core of whoever wakes it.
//!
//! The thread that has a block works on it, too, so a worker that is woken on the same core waits there, or pushes its
//! caller off, until the operating system moves one of them: on two cores of a virtual machine (Linux 6.18), after 20 ms
//! of sleep of both, 194 of 200 workers woke on their caller's core, 1.65 ms late in the median, which is as long as a
//! block takes; 50 µs where they could not. So before a worker is woken, the core of the caller is taken out of those
//! that it may run on, and once it is awake it gets it back.
//!
//! ```text
//!   caller   takes its own core out of the worker's ─► sends it a message
//!   worker                                         sleeps ··· wakes elsewhere ─► has the core again ─► works
//! ```
//!
//! Invariants
//!
//! 1. What is taken out is given back by the worker, with the first message that it receives afterwards: `before` is set
//!    under the lock before the message is sent.
//! 2. Nothing is taken out twice: what is to be given back is what the worker had to begin with, or what somebody else
//!    has given it since it was last awake.
//! 3. The worker is alive while its cores are changed: it withdraws under the same lock.
//! 4. A worker that nobody has restricted is not restricted afterwards: it asks for all cores there may ever be, so it
//!    gets those that its process is given later, too.
//!
//! It costs the caller 2 to 3 µs for each worker, so it is done on [few cores](FEW_CORES); on many there is nearly always
//! an idle one that the operating system finds. A system that refuses is let be; one that kills whoever asks has to be
//! told beforehand (`wake_apart` of an engine's builder). On others than Linux, and in models, nothing is done.

pub(super) use implementation::Affinity;

/// On how many it is done at the most.
pub(super) const FEW_CORES: usize = 8;

#[cfg(all(target_os = "linux", not(any(chorus_loom, chorus_shuttle))))]
mod implementation {
    use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};

    use crate::sync::Mutex;

    /// Which cores a worker may run on.
    #[derive(Default)]
    pub(in crate::engine) struct Affinity(Mutex<State>);

    #[derive(Default)]
    struct State {
        worker: Option<Pid>,
        /// The cores that it may run on when it is awake, if the caller's has been taken out.
        before: Option<CpuSet>,
    }

    /// A worker that has entered. Withdraws when it goes.
    pub(in crate::engine) struct Entered<'a>(&'a Affinity);

    impl Affinity {
        /// Called by the worker's thread when it starts.
        pub(in crate::engine) fn enter(&self) -> Entered<'_> {
            self.0.lock().worker = Some(gettid());
            Entered(self)
        }

        /// Called before the worker is woken, by whoever does that.
        pub(in crate::engine) fn avoid_mine(&self) {
            // Whoever holds it is awake.
            let Some(mut state) = self.0.try_lock() else { return };
            let (Some(worker), None) = (state.worker, state.before) else { return };
            let Ok(before) = sched_getaffinity(Some(worker)) else { return };
            let others = without(before, sched_getcpu());
            if others.is_some_and(|others| sched_setaffinity(Some(worker), &others).is_ok()) {
                state.before = Some(before);
            }
        }

        /// Called by the worker when it is awake.
        pub(in crate::engine) fn restore(&self) {
            if let Some(before) = self.0.lock().before.take() {
                // Those that the process may not use are left out.
                let _ = sched_setaffinity(None, &all());
                if sched_getaffinity(None).is_ok_and(|now| now != before) {
                    // If these are forbidden by now, the system has chosen others.
                    let _ = sched_setaffinity(None, &before);
                }
            }
        }
    }

    /// All cores that there may be.
    fn all() -> CpuSet {
        let mut all = CpuSet::new();
        (0..CpuSet::MAX_CPU).for_each(|core| all.set(core));
        all
    }

    /// The cores but for one, if that is among them and not alone.
    fn without(cores: CpuSet, core: usize) -> Option<CpuSet> {
        let mut others = cores;
        if core >= CpuSet::MAX_CPU || !cores.is_set(core) {
            return None;
        }
        others.unset(core);
        (others.count() > 0).then_some(others)
    }

    impl Drop for Entered<'_> {
        fn drop(&mut self) {
            self.0.0.lock().worker = None;
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn cores(of: impl IntoIterator<Item = usize>) -> CpuSet {
            let mut set = CpuSet::new();
            of.into_iter().for_each(|core| set.set(core));
            set
        }

        #[test]
        fn a_core_is_taken_out_unless_it_is_the_only_one() {
            assert!(without(cores([0, 1, 5]), 1).is_some_and(|others| others == cores([0, 5])));
            assert!(without(cores([1]), 1).is_none());
            assert!(without(cores([0, 1]), 2).is_none());
            assert!(without(cores([0, 1]), usize::MAX).is_none());
        }

        #[test]
        fn a_worker_has_its_cores_again_when_it_is_awake() {
            let affinity = Affinity::default();
            let all = sched_getaffinity(None).expect("a thread may look at its own");
            let entered = affinity.enter();
            // Twice: the second time nothing may be taken for what it had before.
            affinity.avoid_mine();
            affinity.avoid_mine();
            let now = sched_getaffinity(None).expect("a thread may look at its own");
            assert_eq!(now.count(), if all.count() > 1 { all.count() - 1 } else { 1 });
            affinity.restore();
            assert!(sched_getaffinity(None).is_ok_and(|now| now == all));
            // One that somebody has restricted stays so.
            if let Some(some) = without(all, sched_getcpu()) {
                sched_setaffinity(None, &some).expect("a thread may restrict itself");
                affinity.avoid_mine();
                affinity.restore();
                assert!(sched_getaffinity(None).is_ok_and(|now| now == some));
                sched_setaffinity(None, &all).expect("a thread may have its own");
            }
            drop(entered);
            affinity.avoid_mine();
            assert!(sched_getaffinity(None).is_ok_and(|now| now == all), "who is gone is let be");
        }
    }
}

#[cfg(not(all(target_os = "linux", not(any(chorus_loom, chorus_shuttle)))))]
mod implementation {
    /// Nothing is done.
    #[derive(Default)]
    pub(in crate::engine) struct Affinity(());

    /// A worker that has entered.
    pub(in crate::engine) struct Entered;

    impl Affinity {
        pub(in crate::engine) fn enter(&self) -> Entered {
            Entered
        }

        pub(in crate::engine) fn avoid_mine(&self) {}

        pub(in crate::engine) fn restore(&self) {}
    }
}
