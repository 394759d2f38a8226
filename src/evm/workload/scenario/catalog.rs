//! Every scenario.

use super::{
    super::{Workload, world::World},
    Parameter, Scenario, Settings, beneficiary, calls, cells, invalid, regions,
};

const ROUNDS: Parameter =
    Parameter::whole("rounds", "hashes per transaction, some 100 gas each", 40, [0, 100_000]);

/// A scenario of its own.
const fn own(
    name: &'static str,
    description: &'static str,
    size: usize,
    parameters: &'static [Parameter],
    fill: fn(&mut World, usize, &Settings),
) -> Scenario {
    Scenario { name, description, size, parameters, fill }
}

impl Scenario {
    /// All scenarios, in the order in which they are listed.
    pub const ALL: &[Self] = &[
        own(
            "independent",
            "each transaction advances a slot of its own",
            2_000,
            &[ROUNDS],
            cells::independent,
        ),
        own("raw", "independent transfers of ether", 5_000, &[], |world, transactions, _| {
            Workload::RawTransfers { transactions }.fill(world);
        }),
        own(
            "erc20",
            "independent ERC-20 transfers",
            3_000,
            &[Parameter::whole("tokens", "contracts that they are dealt out over", 8, [1, 10_000])],
            |world, transactions, settings| {
                Workload::Erc20 { transactions, tokens: settings.whole("tokens") }.fill(world);
            },
        ),
        own("amm", "swaps, each on a pool of its own", 600, &[], |world, transactions, _| {
            Workload::Amm { transactions, pools: 0 }.fill(world)
        }),
        own(
            "chain",
            "each transaction needs the one before it",
            1_000,
            &[],
            |world, transactions, _| Workload::Chain { transactions }.fill(world),
        ),
        own(
            "chains",
            "k interleaved chains",
            2_000,
            &[Parameter::whole("k", "number of chains", 8, [1, 100_000])],
            |world, transactions, settings| {
                Workload::Chains { transactions, chains: settings.whole("k") }.fill(world);
            },
        ),
        own("nonces", "transfers by one sender", 5_000, &[], |world, transactions, _| {
            Workload::Nonces { transactions }.fill(world);
        }),
        own(
            "hot-spot",
            "a share of the transactions advances one slot, the others their own",
            2_000,
            &[Parameter::percent("share", "percent that meet", 30), ROUNDS],
            cells::hot_spot,
        ),
        own(
            "mixed",
            "ether, tokens and swaps, a share of it on one pool",
            1_500,
            &[Parameter::percent("share", "percent on the pool", 30)],
            |world, transactions, settings| {
                let hot_percent = settings.whole("share") as u8;
                Workload::Mixed { transactions, hot_percent }.fill(world);
            },
        ),
        own(
            "zipf",
            "each transaction advances a slot drawn by popularity",
            2_000,
            &[
                Parameter {
                    name: "s",
                    meaning: "exponent: 0 all alike, 1 as words in a text",
                    usual: 1.0,
                    least: 0.0,
                    most: 10.0,
                    whole: false,
                },
                Parameter::whole("slots", "slots to choose from", 1_000, [1, 1_000_000]),
                ROUNDS,
            ],
            cells::zipf,
        ),
        own(
            "producer-consumer",
            "a producer advances a slot, consumers after it read it",
            2_000,
            &[Parameter::whole("consumers", "after each producer", 8, [1, 100_000]), ROUNDS],
            cells::producer_consumer,
        ),
        own(
            "read-mostly",
            "everyone reads a slot, a few write it",
            2_000,
            &[Parameter::percent("writes", "percent that write", 2), ROUNDS],
            cells::read_mostly,
        ),
        own(
            "wasteful",
            "built to waste speculation: each reads what the one before writes last, ever elsewhere",
            2_000,
            &[Parameter::percent("quiet", "percent that do not, at the beginning", 0), ROUNDS],
            cells::wasteful,
        ),
        own(
            "beneficiary",
            "a share of the transactions reads the balance that all fees go to",
            2_000,
            &[Parameter::percent("share", "percent that read it", 5)],
            beneficiary::reads,
        ),
        own(
            "erc20-to-one",
            "ERC-20 transfers to one recipient",
            3_000,
            &[],
            |world, transactions, _| Workload::Erc20ToOne { transactions }.fill(world),
        ),
        own("amm-one", "swaps on one pool", 600, &[], |world, transactions, _| {
            Workload::Amm { transactions, pools: 1 }.fill(world);
        }),
        own(
            "amm-pools",
            "swaps on n pools",
            600,
            &[Parameter::whole("pools", "number of pools", 8, [1, 100_000])],
            |world, transactions, settings| {
                Workload::Amm { transactions, pools: settings.whole("pools") }.fill(world);
            },
        ),
        own("airdrop", "claims from one pot", 2_000, &[], |world, transactions, _| {
            Workload::Airdrop { transactions }.fill(world);
        }),
        own("nft", "mints that share a counter", 2_000, &[], |world, transactions, _| {
            Workload::NftMint { transactions }.fill(world);
        }),
        own(
            "storm",
            "contracts destroyed and created again at the same addresses",
            1_000,
            &[Parameter::whole("contracts", "that take turns", 8, [1, 100_000])],
            calls::storm,
        ),
        own(
            "create",
            "contracts created by factories, a third destroyed at once",
            1_000,
            &[Parameter::whole("factories", "that create in turn", 16, [1, 100_000])],
            |world, transactions, settings| {
                let factories = settings.whole("factories");
                Workload::Deploy { transactions, factories }.fill(world);
            },
        ),
        own(
            "deep",
            "calls within calls, each transaction to a slot of its own",
            500,
            &[Parameter::whole("depth", "frames below the first", 60, [0, 300])],
            calls::deep,
        ),
        own(
            "invalid",
            "token transfers among transactions that are left out",
            2_000,
            &[Parameter::percent("share", "percent that are to be left out", 30)],
            invalid::mix,
        ),
        own(
            "giant",
            "one long transaction among small independent ones",
            1_000,
            &[
                Parameter::whole("share", "percent of all work that is its own", 50, [1, 99]),
                Parameter::percent("place", "where it stands, percent of the block", 50),
                ROUNDS,
            ],
            cells::giant,
        ),
        own("region-word", "everyone advances one word of a region", 1_000, &[], regions::one_word),
        own(
            "region-words",
            "the same pages of a region, different words",
            1_000,
            &[Parameter::whole("pages", "of 128 words", 8, [1, 1_000])],
            regions::other_words,
        ),
        own(
            "region-maps",
            "everyone maps and unmaps one region again and again",
            1_000,
            &[Parameter::whole("maps", "per transaction", 20, [1, 200])],
            regions::maps,
        ),
        own(
            "region-read-mostly",
            "everyone reads a word of a region, a few write it",
            1_000,
            &[Parameter::percent("writes", "percent that write", 2)],
            regions::read_mostly,
        ),
        own(
            "region-copy-on-write",
            "everyone changes a snapshot of the same pages, a few publish",
            500,
            &[
                Parameter::whole("pages", "that each one changes", 8, [1, 32]),
                Parameter::percent("publish", "percent that publish a word", 10),
            ],
            regions::snapshots,
        ),
    ];
}
