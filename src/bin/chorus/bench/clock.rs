//! Processor time of the process, all of its threads together.

use chorus::sync::time::Duration;

/// What the process has used until now; `None` where the system does not say.
#[cfg(unix)]
pub(super) fn processor_time() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

/// What the process has used until now; `None` where the system does not say.
#[cfg(not(unix))]
pub(super) fn processor_time() -> Option<Duration> {
    None
}
