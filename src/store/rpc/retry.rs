//! How long to wait before a call is sent again.

use super::{Fault, RpcOptions, call::Call};
use crate::sync::{Mutex, RandomState, time::Duration};
use std::hash::{BuildHasher, Hasher};

/// The pauses after failures.
pub(super) struct Backoff {
    /// Senders that failed together must not come back together.
    random: Mutex<fastrand::Rng>,
}

impl Default for Backoff {
    fn default() -> Self {
        let seed = RandomState::default().build_hasher().finish();
        Self { random: Mutex::new(fastrand::Rng::with_seed(seed)) }
    }
}

impl Backoff {
    /// The pause after a call's latest attempt ended in `fault`; `None` if that was the last attempt.
    pub(super) fn after(
        &self,
        call: &Call,
        fault: &Fault,
        options: &RpcOptions,
    ) -> Option<Duration> {
        if !fault.may_pass() || call.attempts >= options.attempts {
            return None;
        }
        let pause = match fault {
            Fault::Status { after: Some(after), .. } => *after,
            _ => self.pause(call.attempts, options),
        };
        let spent = call.since.map_or(Duration::ZERO, |since| since.elapsed());
        (spent.saturating_add(pause) < options.deadline).then_some(pause)
    }

    fn pause(&self, attempts: u32, options: &RpcOptions) -> Duration {
        let doublings = attempts.saturating_sub(1).min(20);
        let whole = options.backoff.saturating_mul(1 << doublings).min(options.longest_backoff);
        whole.mul_f64(1.0 - self.random.lock().f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_limit_and_are_not_all_the_same() {
        let (backoff, options) = (Backoff::default(), RpcOptions::default());
        for attempts in 1..40 {
            let pause = backoff.pause(attempts, &options);
            let whole = (50_u64 << (attempts - 1).min(10)).min(5_000);
            let bounds = Duration::from_millis(whole / 2)..=Duration::from_millis(whole);
            assert!(bounds.contains(&pause), "{attempts}: {pause:?}");
        }
        let some: Vec<_> = (0..8).map(|_| backoff.pause(7, &options)).collect();
        assert!(some.iter().any(|pause| *pause != some[0]));
    }
}
