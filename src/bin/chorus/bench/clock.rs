//! Processor time of the process, all of its threads together.

use chorus::sync::{
    hint,
    time::{Duration, Instant},
};

/// What the process has used until now; `None` where the system does not say.
pub(super) fn processor_time() -> Option<Duration> {
    time_of(Clock::Process)
}

/// The same, once workers that a run of this length has left with something to free have done so: the system counts
/// what a thread has used when that lets go of its core. What the calling thread uses meanwhile is not counted.
pub(super) fn processor_time_settled(run: Duration) -> Option<Duration> {
    let (begin, before) = (Instant::now(), time_of(Clock::Thread)?);
    while begin.elapsed() < LEAST_PAUSE.max(run / PART) {
        hint::spin_loop();
    }
    let spun = time_of(Clock::Thread)?.saturating_sub(before);
    Some(processor_time()?.saturating_sub(spun))
}

/// So long a worker looks for something to do after a small block, and more.
const LEAST_PAUSE: Duration = Duration::from_micros(300);
/// To free what a block leaves takes no more than one part in so many of what the block took.
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
