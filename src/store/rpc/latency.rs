//! What a request takes, on average and lately.

use crate::sync::{
    atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Before anything was measured: a node in the same region.
const FIRST_GUESS: Duration = Duration::from_millis(20);

/// An average in which a measurement weighs an eighth, and fades.
#[derive(Debug)]
pub(super) struct Latency(AtomicU64);

impl Default for Latency {
    fn default() -> Self {
        Self(AtomicU64::new(FIRST_GUESS.as_nanos() as u64))
    }
}

impl Latency {
    /// The average.
    pub(super) fn get(&self) -> Duration {
        // One number that nothing else hangs on: no ordering is needed, and a measurement that gets
        // lost between two that come at once is no loss.
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// Takes a measurement in.
    pub(super) fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let old = self.0.load(Ordering::Relaxed);
        self.0.store(old - old / 8 + took / 8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_starts_at_the_guess_and_goes_where_measurements_are() {
        let latency = Latency::default();
        assert_eq!(latency.get(), FIRST_GUESS);
        latency.note(Duration::from_millis(100));
        assert_eq!(latency.get(), Duration::from_millis(30));
        (0..100).for_each(|_| latency.note(Duration::from_micros(200)));
        assert!(latency.get() < Duration::from_micros(250), "{:?}", latency.get());
        latency.note(Duration::MAX);
        assert!(latency.get() > Duration::from_secs(1));
    }
}
