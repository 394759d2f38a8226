//! Processor time of the process, all of its threads together.

use chorus::sync::{
    hint,
    time::{Duration, Instant},
};

/// What the process has used until now; `None` where the system does not say.
pub(super) fn processor_time() -> Option<Duration> {
    time_of(Clock::Process)
}

/// Lets the threads that a run of this length has left with something to free do so: the system counts what a thread
/// has used when that lets go of its core. Returns what the calling thread has used meanwhile, which looks at the clock all the
/// time, since a core that has slept would be a slower one for what comes next.
pub(super) fn settle(run: Duration) -> Duration {
    let (begin, before) = (Instant::now(), time_of(Clock::Thread));
    while begin.elapsed() < LEAST_PAUSE.max(run / PART) {
        hint::spin_loop();
    }
    before.zip(time_of(Clock::Thread)).map(|(before, after)| after - before).unwrap_or_default()
}

/// Has the calling thread sleep. Not by the engine's own means, which have none: there a wait has a wake.
#[expect(clippy::disallowed_methods, reason = "to sleep is what is measured")]
pub(super) fn sleep(pause: Duration) {
    std::thread::sleep(pause);
}

/// Longer than a worker looks for something to do after a small block, and frees what that has left.
const LEAST_PAUSE: Duration = Duration::from_micros(300);
/// Of large blocks, freeing took 3 % of the time.
const PART: u32 = 16;

enum Clock {
    Process,
    Thread,
}

#[cfg(unix)]
fn time_of(clock: Clock) -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(match clock {
        Clock::Process => ClockId::ProcessCPUTime,
        Clock::Thread => ClockId::ThreadCPUTime,
    });
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

#[cfg(not(unix))]
fn time_of(_: Clock) -> Option<Duration> {
    None
}
