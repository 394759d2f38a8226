//! Whether guessing pays.
//!
//! To guess takes time: lanes that nobody asks for, and a look at transactions that may not be in the cache. So it
//! is done on credit, which guesses earn that are asked for, and where it does not pay it is tried ever more rarely.

/// What comes of guessing for one reason.
#[derive(Debug)]
pub(super) struct Credit {
    left: u32,
    /// How many times nothing is guessed yet.
    resting: u32,
    /// How many it will be next time.
    rest: u32,
}

impl Default for Credit {
    fn default() -> Self {
        Self { left: Self::FIRST, resting: 0, rest: Self::REST }
    }
}

impl Credit {
    /// To guess takes about a third of what a hash takes that need not be computed.
    const GAIN: u32 = 3;
    const FIRST: u32 = 6;
    const AGAIN: u32 = 3;
    const MOST: u32 = 24;
    /// So many times nothing is guessed once it does not pay, twice as many the next time, and so on.
    const REST: u32 = 32;

    /// Whether to guess now.
    pub(super) fn is_open(&mut self) -> bool {
        let open = self.resting == 0;
        self.resting = self.resting.saturating_sub(1);
        open
    }

    /// Something was guessed, or looked for.
    pub(super) fn spend(&mut self) {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            (self.left, self.resting) = (Self::AGAIN, self.rest);
            self.rest = self.rest.saturating_mul(2);
        }
    }

    /// A guess was asked for.
    pub(super) fn earn(&mut self) {
        self.left = (self.left + Self::GAIN).min(Self::MOST);
        self.rest = Self::REST;
        self.resting = self.resting.min(Self::REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often something was guessed in so many tries, of which each `earns` or not.
    fn guessed(tries: usize, mut earns: impl FnMut(usize) -> bool) -> usize {
        let mut credit = Credit::default();
        let mut guessed = 0;
        for at in 0..tries {
            if credit.is_open() {
                guessed += 1;
                credit.spend();
                if earns(at) {
                    credit.earn();
                }
            }
        }
        guessed
    }

    #[test]
    fn what_does_not_pay_is_done_ever_more_rarely_and_what_pays_is_done() {
        assert_eq!(guessed(10_000, |_| false), 30);
        assert_eq!(guessed(10_000, |at| at % 2 == 0), 10_000, "one of two is asked for");
    }

    #[test]
    fn what_pays_again_is_soon_done_again() {
        let mut credit = Credit::default();
        for _ in 0..10_000 {
            if credit.is_open() {
                credit.spend();
            }
        }
        credit.earn();
        assert!((0..=Credit::REST).any(|_| credit.is_open()));
        credit.spend();
        assert!(credit.is_open());
    }
}
