//! What a worker notes of a block.

/// A location, as a number that only its machine can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

impl Place {
    /// A location that cannot be told.
    pub const UNKNOWN: Self = Self(u64::MAX);
}

/// Who will end a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The lower transaction of that index, when it publishes.
    Transaction(u32),
    /// The store, with a value from before the block.
    Store,
    /// The registry of shared memory, or a transaction that it knows of.
    Registry,
}

/// What a context is about to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Who ends the wait.
    pub wait: Wait,
    /// Where it met the need to wait.
    pub place: Place,
}

/// Something that happened to a transaction, on the worker that notes it. Times are in nanoseconds
/// since the recorder was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An incarnation started.
    Started(u32),
    /// Its context will wait, unless what it waits for happens first.
    Awaits(u32, Awaited),
    /// Its context was suspended.
    Suspended(u32),
    /// Its context goes on; somebody outside of the block's transactions woke it at that time.
    Resumed(u32, Option<u64>),
    /// It does not run any more.
    Ended(u32),
    /// What it had seen there does not hold. Stands before `Aborted` or `Doomed`.
    Conflict(u32, Place),
    /// Its writes can be seen.
    Published(u32),
    /// It had run to an end and was thrown away.
    Aborted(u32),
    /// It was thrown away before anybody saw anything of it.
    Doomed(u32),
    /// It was committed, which began at that time.
    Committed(u32, u64),
    /// A scout of it ran, from that time on.
    Scouted(u32, u64),
}

/// An event as words, its time aside.
pub(super) type Packed = [u64; 3];

/// No time of a wake-up.
const NEVER: u64 = u64::MAX;

impl Event {
    /// The transaction.
    #[must_use]
    pub fn transaction(&self) -> u32 {
        let (Self::Started(tx)
        | Self::Awaits(tx, _)
        | Self::Suspended(tx)
        | Self::Resumed(tx, _)
        | Self::Ended(tx)
        | Self::Conflict(tx, _)
        | Self::Published(tx)
        | Self::Aborted(tx)
        | Self::Doomed(tx)
        | Self::Committed(tx, _)
        | Self::Scouted(tx, _)) = *self;
        tx
    }

    pub(super) fn pack(self) -> Packed {
        let (kind, more, other) = match self {
            Self::Started(_) => (0, 0, 0),
            Self::Awaits(_, Awaited { wait, place }) => {
                let who = match wait {
                    Wait::Transaction(writer) => u64::from(writer),
                    Wait::Store => 1 << 32,
                    Wait::Registry => 2 << 32,
                };
                (1, who, place.0)
            }
            Self::Suspended(_) => (2, 0, 0),
            Self::Resumed(_, woken) => (3, woken.unwrap_or(NEVER), 0),
            Self::Ended(_) => (4, 0, 0),
            Self::Conflict(_, place) => (5, place.0, 0),
            Self::Published(_) => (6, 0, 0),
            Self::Aborted(_) => (7, 0, 0),
            Self::Doomed(_) => (8, 0, 0),
            Self::Committed(_, begin) => (9, begin, 0),
            Self::Scouted(_, begin) => (10, begin, 0),
        };
        [kind << 32 | u64::from(self.transaction()), more, other]
    }

    /// The event that was packed; `None` for what no event packs to.
    pub(super) fn unpack([head, more, other]: Packed) -> Option<Self> {
        let tx = head as u32;
        Some(match head >> 32 {
            0 => Self::Started(tx),
            1 => {
                let wait = match more >> 32 {
                    0 => Wait::Transaction(more as u32),
                    1 => Wait::Store,
                    _ => Wait::Registry,
                };
                Self::Awaits(tx, Awaited { wait, place: Place(other) })
            }
            2 => Self::Suspended(tx),
            3 => Self::Resumed(tx, (more != NEVER).then_some(more)),
            4 => Self::Ended(tx),
            5 => Self::Conflict(tx, Place(more)),
            6 => Self::Published(tx),
            7 => Self::Aborted(tx),
            8 => Self::Doomed(tx),
            9 => Self::Committed(tx, more),
            10 => Self::Scouted(tx, more),
            _ => return None,
        })
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn every_event_unpacks_to_itself() {
        let place = Place(u64::MAX - 7);
        let waits = [Wait::Transaction(u32::MAX), Wait::Store, Wait::Registry];
        let waits = waits.map(|wait| Event::Awaits(3, Awaited { wait, place }));
        let others = [
            Event::Started(u32::MAX),
            Event::Suspended(1),
            Event::Resumed(1, None),
            Event::Resumed(1, Some(0)),
            Event::Ended(2),
            Event::Conflict(2, Place::UNKNOWN),
            Event::Published(0),
            Event::Aborted(4),
            Event::Doomed(5),
            Event::Committed(6, 1 << 60),
            Event::Scouted(7, 9),
        ];
        for event in waits.into_iter().chain(others) {
            assert_eq!(Event::unpack(event.pack()), Some(event));
        }
        assert_eq!(Event::unpack([11 << 32, 0, 0]), None);
    }
}
