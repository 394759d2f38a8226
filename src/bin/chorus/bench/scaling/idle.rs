//! What it costs to have nothing to do: looking for work, falling asleep, being woken.

use std::sync::Arc;

use chorus::{
    scheduler::{Scheduler, Sleepers, WorkerId},
    sim::Costs,
    sync::{
        channel::unbounded,
        hint, thread,
        time::{Duration, Instant},
    },
};

/// Wake-ups that are timed.
const ROUNDS: usize = 101;
/// Looks before a worker sleeps, as in every engine.
const LOOKS: u32 = chorus::scheduler::DEFAULT_SPINS;
/// Long enough to be asleep in earnest.
const ASLEEP: Duration = Duration::from_micros(60);

/// Measures `look`, `spin`, `wake` and `notify`; the others are zero.
pub(super) fn measure() -> Costs {
    let spin = spin();
    let (wake, notify) = wake();
    Costs { look: spin / LOOKS, spin, wake, notify, ..Costs::default() }
}

/// How long an idle worker looks for work.
fn spin() -> Duration {
    let scheduler = Scheduler::new(1, 1, 1);
    let _taken = scheduler.ready().pop_fresh(1, 1, |_| 1);
    median((0..ROUNDS).map(|_| {
        let begin = Instant::now();
        for _ in 0..LOOKS {
            // There never is any.
            if scheduler.has_work(0) {
                break;
            }
            hint::spin_loop();
        }
        begin.elapsed()
    }))
}

/// How long it takes from a wake-up until the sleeper runs, and how long to wake it. Zero where no
/// thread can be had.
fn wake() -> (Duration, Duration) {
    let sleepers = Arc::new(Sleepers::with_spins(1, 0));
    let (awake, woken) = unbounded();
    let sleeper = {
        let sleepers = sleepers.clone();
        thread::Builder::new().spawn(move || {
            while !sleepers.is_closed() {
                let _ = sleepers.park_unless(WorkerId(0), || false);
                if awake.send(Instant::now()).is_err() {
                    return;
                }
            }
        })
    };
    let Ok(sleeper) = sleeper else { return (Duration::ZERO, Duration::ZERO) };
    let (mut latencies, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        while !sleepers.any_asleep() {
            thread::yield_now();
        }
        let begin = Instant::now();
        while begin.elapsed() < ASLEEP {
            hint::spin_loop();
        }
        let begin = Instant::now();
        sleepers.notify(WorkerId(0));
        costs.push(begin.elapsed());
        let Ok(at) = woken.recv() else { break };
        latencies.push(at.saturating_duration_since(begin));
    }
    sleepers.close();
    let _ = sleeper.join();
    (median(latencies), median(costs))
}

/// The one in the middle; zero of none.
pub(super) fn median(times: impl IntoIterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
