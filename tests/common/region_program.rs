//! Random programs of region operations.
//!
//! A step is generated as a few raw numbers, and becomes an operation when it is run: its numbers
//! choose among the handles and mappings that there are then, and among operands at which something
//! changes (the ends of words, pages and regions, and of 64 and 256 bits).
// Each test program uses another part of it.
#![allow(dead_code)]

use chorus::region::{
    SecurityLevel,
    config::ChainConfig,
    handle::{Address, Handle, Kind, Name, RegionId},
    operation::{Call, Operation},
};
use proptest::prelude::*;
use ruint::aliases::U256;

use crate::region_run::{PLENTY, chain, name, word};

/// A step before it is known what there is to choose from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw {
    kind: u8,
    actor: u8,
    picks: [u8; 4],
    gas: u8,
    byte: u8,
}

/// How much gas there is for an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purse {
    Plenty,
    /// What it costs, if there is plenty.
    Exact,
    /// One less.
    OneLess,
    Only(u64),
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are operations")]
pub(crate) enum Step {
    Operation { call: Call, purse: Purse, operation: Operation, data: Vec<u8> },
    Checkpoint { frame: bool },
    Commit,
    Revert,
}

/// Transactions, one after the other, each with its steps.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) level: u8,
    pub(crate) copy_on_write: bool,
    pub(crate) transactions: Vec<Vec<Raw>>,
    /// Which questions to the world are left to wait.
    pub(crate) waits: Vec<bool>,
    /// Whether everything that can be seen is compared after every step. It makes sessions learn
    /// of the world what their operations alone would not have asked.
    pub(crate) peek: bool,
}

pub(crate) const MAX_REGION: u64 = 5 * 4096;

/// What every transaction has attached.
pub(crate) fn sidecar() -> Vec<u8> {
    (0..5000_u32).map(|byte| (byte % 251) as u8 + 1).collect()
}

impl Program {
    pub(crate) fn config(&self) -> ChainConfig {
        let levels = [
            SecurityLevel::Strict,
            SecurityLevel::None,
            SecurityLevel::Basic,
            SecurityLevel::Paranoid,
        ];
        ChainConfig {
            max_region_size: MAX_REGION,
            max_shared_regions: 6,
            pool_blocks: [2, 2, 1, 1],
            enable_copy_on_write: self.copy_on_write,
            security_level: levels[usize::from(self.level) % 4],
            ..chain()
        }
    }
}

pub(crate) fn raws(steps: usize) -> impl Strategy<Value = Vec<Raw>> {
    let raw = (any::<u8>(), any::<u8>(), any::<[u8; 4]>(), any::<u8>(), any::<u8>())
        .prop_map(|(kind, actor, picks, gas, byte)| Raw { kind, actor, picks, gas, byte });
    prop::collection::vec(raw, 1..steps)
}

pub(crate) fn programs(transactions: usize, steps: usize) -> impl Strategy<Value = Program> {
    (
        0..4_u8,
        prop::bool::weighted(0.9),
        prop::collection::vec(raws(steps), 1..=transactions),
        prop_oneof![Just(Vec::new()), prop::collection::vec(any::<bool>(), 0..100)],
        prop::bool::weighted(0.3),
    )
        .prop_map(|(level, copy_on_write, transactions, waits, peek)| Program {
            level,
            copy_on_write,
            transactions,
            waits,
            peek,
        })
}

/// What there is to choose from.
pub(crate) struct Choices<'a> {
    pub(crate) handles: &'a [Handle],
    /// Ordinals and sizes of the mappings of a frame.
    pub(crate) mappings: &'a dyn Fn(usize) -> Vec<(u64, u64)>,
    pub(crate) depth: usize,
}

fn huge(pick: u8) -> U256 {
    let near = U256::from(pick / 8 % 4);
    match pick % 5 {
        0 => (U256::ONE << 64) - near,
        1 => (U256::ONE << 64) + near,
        2 => U256::MAX - near,
        3 => (U256::ONE << 64) + U256::from(4096),
        _ => U256::ONE << 255,
    }
}

fn choose(pick: u8, from: &[u64]) -> U256 {
    if pick >= 246 { huge(pick) } else { word(from[usize::from(pick) % from.len()]) }
}

fn size(pick: u8) -> U256 {
    choose(
        pick,
        &[4096, 8192, 100, 4097, 1, 12_288, 64, 16_384, 6000, 32, 20_480, 31, 4095, 20_481, 0],
    )
}

/// An offset into something of that size.
fn offset(pick: u8, size: u64) -> U256 {
    let fixed = [0, 0, 32, 1, 64, 31, 33, 4096, 96, 4064, 4095, 4097, 8192, 8191, 5000];
    if pick < 180 {
        choose(pick, &fixed)
    } else {
        choose(pick, &[size / 2, size.saturating_sub(32), size, size.saturating_sub(1), size + 1])
    }
}

fn len(pick: u8, size: u64) -> U256 {
    let fixed = [32, 1, 64, 33, 0, 96, 31, 2, 4096, 128, 100, 4000, 5000, 4097, 8192];
    if pick < 220 { choose(pick, &fixed) } else { choose(pick, &[size, size + 1, size / 2]) }
}

fn options(pick: u8, usual: &[u64], wild: &[u64]) -> U256 {
    match pick {
        254.. => (U256::ONE << 64) + U256::from(usual[0]),
        240.. => word(wild[usize::from(pick) % wild.len()]),
        _ => word(usual[usize::from(pick) % usual.len()]),
    }
}

fn named(pick: u8) -> [u8; 32] {
    if pick > 250 { [0; 32] } else { name(["a", "b", "c"][usize::from(pick) % 3]) }
}

fn who(pick: u8) -> U256 {
    match pick {
        252.. => (U256::ONE << 160) + U256::from(1),
        _ => U256::from(pick % 3 + 1),
    }
}

impl Raw {
    fn handle(&self, choices: &Choices<'_>, pick: u8) -> Handle {
        let made_up = RegionId::of(
            if pick.is_multiple_of(2) { Kind::Persistent } else { Kind::Transaction },
            Address::from_number(1),
            Some(Name::from_bytes(name("a")).unwrap()),
        );
        match choices.handles {
            // The last ones are the most likely to be in use.
            [.., last] if pick < 80 => *last,
            [_, ..] if pick < 240 => choices.handles[usize::from(pick) % choices.handles.len()],
            _ => made_up.at(u64::from(pick % 5)),
        }
    }

    pub(crate) fn step(&self, choices: &Choices<'_>) -> Step {
        let [a, b, c, d] = self.picks;
        // Now and then as a precompile does: for the frame that called.
        let frame = choices.depth.saturating_sub(usize::from(self.actor > 230));
        let mappings = (choices.mappings)(frame);
        let (ordinal, mapped) = match (mappings.as_slice(), a) {
            ([.., last], ..100) => *last,
            ([_, ..], ..240) => mappings[usize::from(a) % mappings.len()],
            _ => (u64::from(a % 8), 4096),
        };
        let mapping = if a > 252 { huge(a) } else { U256::from(ordinal) };
        // Most of what cannot come to anything yet becomes what has to come first.
        let kind = match self.kind {
            48..=217 if choices.handles.len() < 2 && b < 200 => 20,
            75..=183 if mappings.is_empty() && b < 200 => 50,
            kind => kind,
        };
        let operation = match kind {
            0..=9 => {
                let sizes = [64, 100, 4096, 1, 5000, 8192, 65, 4097, 20_000, (1 << 20) + 1, 0];
                let class = options(b, &[4, 0, 1, 2], &[3, 5, 4, 255, 4]);
                Operation::Alloc { size: choose(a, &sizes), class }
            }
            10..=14 => Operation::Free { handle: self.handle(choices, a) },
            15..=39 => Operation::Create {
                name: named(a),
                size: size(b),
                permissions: options(c, &[7, 7, 7, 3, 1, 5, 6], &[0, 8, 255]),
                options: options(d, &[4, 0, 6, 2, 4, 6, 0, 20], &[1, 5, 3, 7, 24, 8, 32, 255]),
            },
            40..=47 => Operation::Open { owner: who(a), name: named(b) },
            48..=74 => Operation::Map {
                handle: self.handle(choices, a),
                options: options(b, &[0, 1, 0, 1, 2, 0, 4, 3, 9], &[0, 16, 1, 128]),
                offset: if c < 150 { U256::ZERO } else { offset(c, 8192) },
                size: if d < 150 { U256::ZERO } else { len(d, 8192) },
            },
            75..=79 => Operation::Unmap { mapping },
            80..=93 => Operation::Publish { mapping },
            94..=118 => Operation::Read { mapping, offset: offset(b, mapped), len: len(c, mapped) },
            119..=124 => {
                let short = len(c, mapped).min(U256::from(10_000));
                Operation::ReadPadded { mapping, offset: offset(b, mapped), len: short }
            }
            125..=169 => {
                Operation::Write { mapping, offset: offset(b, mapped), len: len(c, mapped) }
            }
            170..=183 => Operation::Copy {
                mapping,
                destination: offset(b, mapped),
                source: offset(c, mapped),
                len: len(d, mapped),
            },
            184..=191 => Operation::Grow { handle: self.handle(choices, a), size: size(b) },
            192..=201 => Operation::Grant {
                handle: self.handle(choices, a),
                address: who(b),
                permissions: options(c, &[3, 1, 0, 7, 2, 4], &[8, 9]),
            },
            202..=208 => Operation::Destroy { handle: self.handle(choices, a) },
            209..=212 => Operation::Info { handle: self.handle(choices, a) },
            213..=217 => Operation::Exec {
                handle: self.handle(choices, a),
                offset: offset(b, 4096),
                len: len(c, 4096),
                limit: 4999,
            },
            218..=234 => return Step::Checkpoint { frame: !a.is_multiple_of(3) },
            235..=244 => return Step::Commit,
            245..=255 => return Step::Revert,
        };
        let len = match operation {
            Operation::Write { len, .. } => usize::try_from(len).unwrap_or(0).min(70_000),
            _ => 0,
        };
        // Zeros, too: they make pages present.
        let data = (0..len).map(|at| if self.byte < 20 { 0 } else { self.byte ^ at as u8 });
        let call = Call {
            frame,
            actor: Address::from_number(u64::from(self.actor % 8).saturating_sub(5) + 1),
            is_static: self.gas.is_multiple_of(16),
            gas: PLENTY,
        };
        let purse = match self.gas {
            ..200 => Purse::Plenty,
            200..220 => Purse::Exact,
            220..240 => Purse::OneLess,
            240.. => Purse::Only(u64::from(self.byte) * 20),
        };
        Step::Operation { call, purse, operation, data: data.collect() }
    }
}
