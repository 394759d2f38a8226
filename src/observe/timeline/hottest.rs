//! The locations that cost most.

use super::{Cause, Ending, LocationId, Timeline};

/// What one location cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hottest {
    /// Which.
    pub location: LocationId,
    /// Incarnations that were thrown away because they had seen something else here.
    pub aborts: u64,
    /// How often a context waited for another transaction here, or for shared memory.
    pub waits: u64,
    /// How often a context waited for the store here.
    pub reads: u64,
    /// Time that was lost, in nanoseconds: of contexts that waited here, and of runs that were
    /// thrown away. Workers may have used the time of those who waited.
    pub lost: u64,
}

impl Hottest {
    /// Aborts and waits for others.
    #[must_use]
    pub fn conflicts(&self) -> u64 {
        self.aborts + self.waits
    }
}

impl Timeline {
    /// The locations at which anything was lost, the costliest first.
    #[must_use]
    pub fn hottest(&self) -> Vec<Hottest> {
        let fresh = |at| Hottest {
            location: LocationId(at as u32),
            aborts: 0,
            waits: 0,
            reads: 0,
            lost: 0,
        };
        let mut all: Vec<Hottest> = (0..self.locations.len()).map(fresh).collect();
        for incarnation in &self.incarnations {
            for suspension in &incarnation.suspensions {
                let location = suspension.cause.location();
                let Some(hot) = location.and_then(|id| all.get_mut(id.0 as usize)) else {
                    continue;
                };
                match suspension.cause {
                    Cause::Store { .. } => hot.reads += 1,
                    _ => hot.waits += 1,
                }
                hot.lost += suspension.span.length();
            }
            let thrown_away = matches!(incarnation.ending, Ending::Aborted | Ending::Doomed);
            let conflict = incarnation.conflict.filter(|_| thrown_away);
            if let Some(hot) = conflict.and_then(|id| all.get_mut(id.0 as usize)) {
                hot.aborts += 1;
                hot.lost += incarnation.ran();
            }
        }
        all.retain(|hot| hot.conflicts() + hot.reads > 0);
        all.sort_by_key(|hot| std::cmp::Reverse((hot.lost, hot.conflicts(), hot.reads)));
        all
    }
}
