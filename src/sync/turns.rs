//! Where loom orders those whom it passes over ([`super::brief`]). Under everything else: nothing.

/// The turns of those who come to one structure.
#[derive(Debug, Default)]
pub struct Turns(());

/// One's turn.
#[derive(Debug)]
pub struct Turn(());

impl Turns {
    /// Of nobody.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }

    /// Waits for nobody.
    #[inline(always)]
    pub fn take(&self, _what: u64) -> Turn {
        Turn(())
    }
}
