//! What a program is, and how one is made up.
//!
//! Owners, names, offsets and sizes are few, so that programs meet: at the same word, at the same
//! page, at the same name, on either side of a page's border.

use proptest::prelude::*;

/// Addresses 0..OWNERS act, and own.
pub(crate) const OWNERS: u8 = 2;
/// Names 0..NAMES are used under each owner.
pub(crate) const NAMES: u8 = 2;
/// Keys 0..KEYS of the ordinary state are used.
pub(crate) const KEYS: u8 = 3;
/// Sidecars there are; each program has some of them attached.
pub(crate) const SIDECARS: u8 = 2;

/// One step of a program. Handles and mappings are named by their place among those that the program
/// has come by, modulo their number.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create {
        name: u8,
        size: u64,
        permissions: u8,
        options: u8,
    },
    /// Opens a region and, if there is one, maps it.
    Visit {
        owner: u8,
        name: u8,
        options: u8,
    },
    Open {
        owner: u8,
        name: u8,
    },
    /// Takes a handle that may have been, or may come to be.
    Guess {
        owner: u8,
        name: u8,
        generation: u64,
    },
    Sidecar(u8),
    Alloc(u64),
    Free(u8),
    Map {
        handle: u8,
        options: u8,
        offset: u64,
        size: u64,
    },
    Unmap(u8),
    Publish(u8),
    Read {
        mapping: u8,
        offset: u64,
        len: u16,
    },
    ReadPadded {
        mapping: u8,
        offset: u64,
        len: u16,
    },
    /// Reads a byte, and writes where that byte says.
    Follow(u8),
    Write {
        mapping: u8,
        offset: u64,
        len: u16,
    },
    /// Adds to a word of 8 bytes.
    Count {
        mapping: u8,
        offset: u64,
    },
    Copy {
        mapping: u8,
        to: u64,
        from: u64,
        len: u16,
    },
    ReadPages {
        mapping: u8,
        offset: u64,
        count: u8,
    },
    WritePages {
        mapping: u8,
        offset: u64,
        count: u8,
    },
    Grow {
        handle: u8,
        size: u64,
    },
    Grant {
        handle: u8,
        to: u8,
        permissions: u8,
    },
    Destroy(u8),
    Info(u8),
    /// A frame of its own.
    Call {
        actor: u8,
        is_static: bool,
        fails: bool,
        ops: Vec<Op>,
    },
    Checkpoint {
        keep: bool,
        ops: Vec<Op>,
    },
    Get(u8),
    Put(u8),
    Credit(u8, u8),
    /// Waits until another thread has had its turn.
    Pause,
    FailIfDivisible(u32),
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) actor: u8,
    /// Bit by bit, which sidecars are attached.
    pub(crate) sidecars: u8,
    pub(crate) ops: Vec<Op>,
}

/// Begins and ends of words and pages, and what lies beyond.
fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => (0..8u64).prop_map(|word| word * 32),
        3 => (0..100u64).prop_map(|byte| byte),
        2 => Just(4064),
        2 => Just(4090),
        2 => Just(4096),
        1 => Just(4100),
        1 => Just(8190),
        1 => Just(8192),
        1 => Just(20_000),
        1 => Just(u64::MAX - 3),
    ]
}

/// Where a window begins, and its size.
fn window() -> impl Strategy<Value = (u64, u64)> {
    let begin = prop::sample::select(vec![0, 0, 0, 32, 100, 4096, 4096, 4090]);
    let size = prop::sample::select(vec![0, 1, 32, 40, 100, 4096, 4090, 5000]);
    (begin, size)
}

fn page_offset() -> impl Strategy<Value = u64> {
    prop_oneof![5 => Just(0), 2 => Just(4096), 1 => Just(8192), 1 => Just(100)]
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(0),
        1 => Just(1),
        2 => Just(100),
        3 => Just(4096),
        3 => Just(5000),
        4 => Just(8192),
        2 => Just(12_288),
        1 => Just(70_000),
        1 => Just(u64::MAX),
    ]
}

fn len() -> impl Strategy<Value = u16> {
    prop_oneof![
        1 => Just(0),
        2 => Just(1),
        2 => Just(8),
        5 => Just(32),
        2 => 0..80u16,
        1 => Just(5_000),
    ]
}

/// Mostly everything, so that much succeeds.
fn permissions() -> impl Strategy<Value = u8> {
    prop_oneof![5 => Just(7), 2 => Just(3), 1 => 0..8u8]
}

/// Mostly persistent and shared. Undefined combinations as well.
fn region_options() -> impl Strategy<Value = u8> {
    prop_oneof![
        6 => Just(4),
        3 => Just(6),
        1 => Just(5),
        1 => Just(7),
        2 => Just(0),
        1 => Just(2),
        1 => Just(1),
        1 => Just(12),
        1 => 0..32u8,
    ]
}

fn map_options() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0), 4 => Just(1), 3 => Just(2), 1 => Just(3), 1 => 0..16u8]
}

fn simple() -> BoxedStrategy<Op> {
    let (owner, name) = (|| 0..OWNERS, || 0..NAMES);
    // Few, so that a later step finds what an earlier one has come by.
    let place = || 0..3u8;
    let regions = prop_oneof![
        4 => (name(), size(), permissions(), region_options()).prop_map(
            |(name, size, permissions, options)| Op::Create { name, size, permissions, options }
        ),
        8 => (owner(), name(), map_options())
            .prop_map(|(owner, name, options)| Op::Visit { owner, name, options }),
        2 => (owner(), name()).prop_map(|(owner, name)| Op::Open { owner, name }),
        2 => (owner(), name(), 0..5u64)
            .prop_map(|(owner, name, generation)| Op::Guess { owner, name, generation }),
        1 => (0..SIDECARS).prop_map(Op::Sidecar),
        1 => size().prop_map(Op::Alloc),
        1 => place().prop_map(Op::Free),
        1 => (place(), map_options(), offset(), size()).prop_map(
            |(handle, options, offset, size)| Op::Map { handle, options, offset, size }
        ),
        4 => (place(), map_options(), window()).prop_map(|(handle, options, (offset, size))| {
            Op::Map { handle, options, offset, size }
        }),
        2 => (place(), size()).prop_map(|(handle, size)| Op::Grow { handle, size }),
        3 => (place(), owner(), permissions())
            .prop_map(|(handle, to, permissions)| Op::Grant { handle, to, permissions }),
        1 => (place(), owner())
            .prop_map(|(handle, to)| Op::Grant { handle, to, permissions: 0 }),
        3 => place().prop_map(Op::Destroy),
        2 => place().prop_map(Op::Info),
    ];
    let bytes = prop_oneof![
        1 => place().prop_map(Op::Unmap),
        3 => place().prop_map(Op::Publish),
        5 => (place(), offset(), len())
            .prop_map(|(mapping, offset, len)| Op::Read { mapping, offset, len }),
        1 => (place(), offset(), len())
            .prop_map(|(mapping, offset, len)| Op::ReadPadded { mapping, offset, len }),
        2 => place().prop_map(Op::Follow),
        6 => (place(), offset(), len())
            .prop_map(|(mapping, offset, len)| Op::Write { mapping, offset, len }),
        4 => (place(), offset()).prop_map(|(mapping, offset)| Op::Count { mapping, offset }),
        2 => (place(), offset(), offset(), len())
            .prop_map(|(mapping, to, from, len)| Op::Copy { mapping, to, from, len }),
        3 => (place(), page_offset(), 0..3u8)
            .prop_map(|(mapping, offset, count)| Op::ReadPages { mapping, offset, count }),
        1 => (place(), page_offset(), 0..3u8)
            .prop_map(|(mapping, offset, count)| Op::WritePages { mapping, offset, count }),
    ];
    let others = prop_oneof![
        2 => (0..KEYS).prop_map(Op::Get),
        2 => (0..KEYS).prop_map(Op::Put),
        2 => (0..KEYS, 0..90u8).prop_map(|(key, amount)| Op::Credit(key, amount)),
        3 => Just(Op::Pause),
        1 => (2..20u32).prop_map(Op::FailIfDivisible),
    ];
    prop_oneof![8 => regions, 9 => bytes, 3 => others].boxed()
}

fn op() -> impl Strategy<Value = Op> {
    simple().prop_recursive(2, 12, 5, |inner| {
        let ops = || prop::collection::vec(inner.clone(), 1..6);
        prop_oneof![
            10 => simple(),
            1 => (0..OWNERS, prop::bool::weighted(0.2), prop::bool::weighted(0.3), ops()).prop_map(
                |(actor, is_static, fails, ops)| Op::Call { actor, is_static, fails, ops }
            ),
            1 => (any::<bool>(), ops()).prop_map(|(keep, ops)| Op::Checkpoint { keep, ops }),
        ]
    })
}

pub(crate) fn program() -> impl Strategy<Value = Program> {
    let visit = (0..OWNERS, 0..NAMES, map_options()).prop_map(|(owner, name, options)| Op::Visit {
        owner,
        name,
        options,
    });
    let ops = prop::collection::vec(op(), 1..14);
    (0..OWNERS, 0..1u8 << SIDECARS, prop::option::weighted(0.9, visit), ops).prop_map(
        |(actor, sidecars, visit, mut ops)| {
            ops.splice(0..0, visit);
            Program { actor, sidecars, ops }
        },
    )
}

/// Creates all names of an owner, and lets everybody use them.
pub(crate) fn founder(actor: u8, options: u8) -> Program {
    let mut ops = Vec::new();
    for name in 0..NAMES {
        ops.push(Op::Create { name, size: 8192, permissions: 7, options: options ^ name << 1 });
        ops.extend((0..OWNERS).map(|to| Op::Grant { handle: name, to, permissions: 7 }));
    }
    Program { actor, sidecars: 0, ops }
}
