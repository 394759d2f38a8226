//! What the façades of all machines are configured with.

use super::PoolError;

/// How a block is executed. The result is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Path {
    /// The engine chooses, and may change its mind in the middle of a block.
    #[default]
    Auto,
    /// Always on the workers, through the multi-version state.
    Parallel,
    /// One after another on the calling thread.
    Direct,
}

/// Why an engine could not be built.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No workers.
    #[error("threads: 0 is not a number of workers, give at least 1")]
    NoThreads,
    /// No context may be in flight.
    #[error("window: 0 transactions in flight is no window, give at least 1")]
    NoWindow,
    /// Nothing may be read from a slow store.
    #[error("reads_in_flight: 0 reads under way answer nothing, give at least 1")]
    NoReads,
    /// The threads did not start.
    #[error(transparent)]
    Pool(#[from] PoolError),
}

impl EngineError {
    /// Checks what every façade is configured with.
    pub(crate) fn check(threads: usize, window: u32) -> Result<(), Self> {
        if threads == 0 {
            return Err(Self::NoThreads);
        }
        if window == 0 {
            return Err(Self::NoWindow);
        }
        Ok(())
    }
}
