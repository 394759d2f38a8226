//! A token by which blocks are cancelled.

use crate::{
    context::{Control, StopReason},
    sync::{Arc, Mutex, Weak, weakened},
};

/// Cancels the blocks that were handed in with it, those of several engines too. Clones are the same
/// token. Once cancelled it stays so: a block that is handed in with it later ends at once.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<Mutex<Token>>);

#[derive(Debug, Default)]
struct Token {
    cancelled: bool,
    blocks: Vec<Weak<Control>>,
}

impl CancelToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels: each block ends with what it has committed by now. Returns without waiting for that.
    pub fn cancel(&self) {
        let blocks = {
            let mut token = self.0.lock();
            token.cancelled = true;
            std::mem::take(&mut token.blocks)
        };
        for block in blocks.iter().filter_map(Weak::upgrade) {
            block.stop(StopReason::Cancelled);
        }
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.lock().cancelled
    }

    /// Makes this token stop a block too, at once if it was cancelled.
    pub fn covers(&self, block: &Arc<Control>) {
        let mut token = self.0.lock();
        if token.cancelled && !weakened("token.covers-looks") {
            drop(token);
            block.stop(StopReason::Cancelled);
            return;
        }
        // Those that have ended are let go of, so a token may serve any number of blocks.
        token.blocks.retain(|block| block.strong_count() > 0);
        token.blocks.push(Arc::downgrade(block));
    }
}
