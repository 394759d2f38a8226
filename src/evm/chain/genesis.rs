//! A chain from a geth-style genesis file: `{"config": {...}, "alloc": {...}}`.
//!
//! The file may also be the bare `config` object. Fields that decide nothing here (`ethash`,
//! `grayGlacierBlock`, and other difficulty bombs) are passed over; a fork this engine cannot run
//! is an error.

use revm::primitives::hardfork::SpecId;

use super::{
    BlobParameters, ChainSpec, ForkSchedule, Merge,
    schedule::{CANCUN_BLOBS, PRAGUE_BLOBS},
};
use crate::{
    evm::input::{Field, InputError, Tree, genesis_state},
    store::MemoryStore,
};

/// Forks that geth knows and that are not implemented here.
const UNSUPPORTED: [&str; 3] = ["amsterdamTime", "verkleTime", "eofTime"];
/// Keys of `blobSchedule` besides the forks': blob-parameter forks `bpo1` to `bpo9`.
const BLOB_PARAMETER_FORKS: u8 = 9;

impl ChainSpec {
    /// Reads a chain from the text of a genesis file, called `file` in messages.
    pub fn from_genesis_json(file: &str, text: &str) -> Result<Self, InputError> {
        let tree = Tree::parse(file, text)?;
        let root = Field::root(file, &tree);
        match root.opt("config") {
            Some(config) => chain(&config),
            None if root.opt("chainId").is_some() => chain(&root),
            None => Err(root.missing("config", "")),
        }
    }

    /// Reads the accounts of a genesis file (`alloc`), empty if it has none.
    pub fn genesis_state(file: &str, text: &str) -> Result<MemoryStore, InputError> {
        let tree = Tree::parse(file, text)?;
        let root = Field::root(file, &tree);
        match root.opt("alloc") {
            // A genesis block is older than any fork that would delete its empty accounts.
            Some(alloc) => genesis_state(&alloc, SpecId::FRONTIER),
            None => Ok(MemoryStore::default()),
        }
    }
}

fn chain(config: &Field<'_>) -> Result<ChainSpec, InputError> {
    if let Some(fork) = UNSUPPORTED.iter().find_map(|name| config.opt(name)) {
        return Err(fork.wrong("this fork is not supported"));
    }
    let forks = forks(config)?;
    let dao = match config.opt("daoForkSupport") {
        Some(support) => support.bool()?,
        None => false,
    };
    Ok(ChainSpec {
        chain_id: config.get("chainId")?.u64_or_decimal()?,
        blobs: blobs(config, &forks)?,
        forks,
        dao_fork: number(config, "daoForkBlock")?.filter(|_| dao),
        deposit_contract: config.opt("depositContractAddress").map(|f| f.address()).transpose()?,
        clique: config.opt("clique").is_some(),
    })
}

fn forks(config: &Field<'_>) -> Result<ForkSchedule, InputError> {
    let block = |name| number(config, name);
    let constantinople = block("constantinopleBlock")?;
    // geth: Petersburg starts with Constantinople unless the file says otherwise.
    let petersburg = block("petersburgBlock")?.or(constantinople);
    if constantinople.is_some() && constantinople < petersburg {
        let reason = "Constantinople without Petersburg is not supported; petersburgBlock is later";
        return Err(config.get("constantinopleBlock")?.wrong(reason));
    }
    let forks = ForkSchedule {
        homestead: block("homesteadBlock")?,
        tangerine: block("eip150Block")?,
        spurious_dragon: block("eip158Block")?.or(block("eip155Block")?),
        byzantium: block("byzantiumBlock")?,
        petersburg,
        istanbul: block("istanbulBlock")?,
        berlin: block("berlinBlock")?,
        london: block("londonBlock")?,
        merge: merge(config)?,
        shanghai: block("shanghaiTime")?,
        cancun: block("cancunTime")?,
        prague: block("pragueTime")?,
        osaka: block("osakaTime")?,
    };
    ascending(
        config,
        [
            "homesteadBlock",
            "eip150Block",
            "eip158Block",
            "byzantiumBlock",
            "petersburgBlock",
            "istanbulBlock",
            "berlinBlock",
            "londonBlock",
        ],
    )?;
    ascending(config, ["shanghaiTime", "cancunTime", "pragueTime", "osakaTime"])?;
    Ok(forks)
}

/// Forks build on one another: each must be given if a later one is, and start no later.
fn ascending<const N: usize>(config: &Field<'_>, names: [&str; N]) -> Result<(), InputError> {
    let mut next: Option<(&str, u64)> = None;
    for name in names.into_iter().rev() {
        match (number(config, name)?, next) {
            (Some(start), Some((later, then))) if start > then => {
                let field = config.get(name)?;
                return Err(field.wrong(format!("later than {later} ({then})")));
            }
            // Petersburg may be left to Constantinople.
            (None, Some(_))
                if name == "petersburgBlock"
                    && number(config, "constantinopleBlock")?.is_some() => {}
            (None, Some((later, then))) => {
                return Err(config.missing(name, &format!(", though {later} is {then}")));
            }
            (Some(start), _) => next = Some((name, start)),
            (None, None) => {}
        }
    }
    Ok(())
}

/// A configuration knows a total difficulty, or nothing; `mergeNetsplitBlock` serves peers only
/// and lies after the merge on some chains.
fn merge(config: &Field<'_>) -> Result<Merge, InputError> {
    let passed = match config.opt("terminalTotalDifficultyPassed") {
        Some(passed) => passed.bool()?,
        None => false,
    };
    if let Some(total) = config.opt("terminalTotalDifficulty") {
        total.u256_or_decimal()?;
    }
    let expected = passed
        || ["terminalTotalDifficulty", "mergeNetsplitBlock", "shanghaiTime"]
            .iter()
            .any(|name| config.opt(name).is_some());
    Ok(if expected { Merge::ZeroDifficulty } else { Merge::Never })
}

fn blobs(config: &Field<'_>, forks: &ForkSchedule) -> Result<Vec<BlobParameters>, InputError> {
    let none = Tree::Object(Vec::new());
    let schedule = match config.opt("blobSchedule") {
        Some(schedule) => schedule,
        None => Field::root("", &none),
    };
    let mut blobs = Vec::new();
    let by_fork = [
        ("cancun", forks.cancun, Some(CANCUN_BLOBS)),
        ("prague", forks.prague, Some(PRAGUE_BLOBS)),
        ("osaka", forks.osaka, None),
    ];
    for (name, start, default) in by_fork {
        let Some(timestamp) = start else { continue };
        match (schedule.opt(name), default) {
            (Some(entry), _) => blobs.push(parameters(&entry, timestamp)?),
            (None, Some(default)) => blobs.push(BlobParameters::new(timestamp, default)),
            (None, None) => {}
        }
    }
    for index in 1..=BLOB_PARAMETER_FORKS {
        let (name, time) = (format!("bpo{index}"), format!("bpo{index}Time"));
        let Some(timestamp) = number(config, &time)? else { continue };
        blobs.push(parameters(&schedule_entry(config, &schedule, &name)?, timestamp)?);
    }
    // Stable, so that of two entries of one moment the later fork's is the one in force.
    blobs.sort_by_key(|entry| entry.timestamp);
    Ok(blobs)
}

fn schedule_entry<'a>(
    config: &Field<'_>,
    schedule: &'a Field<'a>,
    name: &'a str,
) -> Result<Field<'a>, InputError> {
    schedule.opt(name).ok_or_else(|| {
        config.missing(&format!("blobSchedule.{name}"), &format!(", though {name}Time is given"))
    })
}

fn parameters(entry: &Field<'_>, timestamp: u64) -> Result<BlobParameters, InputError> {
    let (target, max) =
        (entry.get("target")?.u64_or_decimal()?, entry.get("max")?.u64_or_decimal()?);
    let fraction = entry.get("baseFeeUpdateFraction")?;
    let update_fraction = fraction.u64_or_decimal()?;
    if update_fraction == 0 {
        // It is a divisor.
        return Err(fraction.wrong("expected a positive number"));
    }
    Ok(BlobParameters { timestamp, target, max, update_fraction })
}

fn number(config: &Field<'_>, name: &str) -> Result<Option<u64>, InputError> {
    config.opt(name).map(|field| field.u64_or_decimal()).transpose()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;

    use super::*;
    use crate::evm::{HeaderPosition, StateStore};

    const SEPOLIA_LIKE: &str = r#"{"config": {"chainId": 11155111, "homesteadBlock": 0,
        "daoForkSupport": true, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0,
        "byzantiumBlock": 0, "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0,
        "muirGlacierBlock": 0, "berlinBlock": 0, "londonBlock": 0, "mergeNetsplitBlock": 1735371,
        "terminalTotalDifficulty": 17000000000000000, "shanghaiTime": 1677557088,
        "cancunTime": 1706655072, "pragueTime": 1741159776, "osakaTime": 1760427360,
        "bpo1Time": 1761017184, "bpo2Time": 1761607008,
        "blobSchedule": {"cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3338477},
            "prague": {"target": 6, "max": 9, "baseFeeUpdateFraction": 5007716},
            "bpo1": {"target": 10, "max": 15, "baseFeeUpdateFraction": 8346193},
            "bpo2": {"target": 14, "max": 21, "baseFeeUpdateFraction": 11684671}}},
        "alloc": {"aa000000000000000000000000000000000000aa":
            {"balance": "1000", "nonce": "0x1", "storage": {"0x01": "0x02"}}}}"#;

    fn spec_at(chain: &ChainSpec, number: u64, timestamp: u64, difficulty: u64) -> SpecId {
        let difficulty = U256::from(difficulty);
        chain.rules(HeaderPosition { number, timestamp, difficulty }).unwrap().spec
    }

    #[test]
    fn a_genesis_file_gives_forks_blobs_and_state() {
        let chain = ChainSpec::from_genesis_json("g.json", SEPOLIA_LIKE).unwrap();
        assert_eq!(chain.chain_id, 11_155_111);
        assert_eq!(spec_at(&chain, 1_450_408, 1_655_000_000, 9), SpecId::LONDON);
        assert_eq!(spec_at(&chain, 1_450_409, 1_655_000_000, 0), SpecId::MERGE);
        assert_eq!(spec_at(&chain, 9_000_000, 1_761_607_008, 0), SpecId::OSAKA);
        assert_eq!(chain.blobs.last().unwrap().max, 21);

        let state = ChainSpec::genesis_state("g.json", SEPOLIA_LIKE).unwrap();
        let account = alloy_primitives::address!("0xaa000000000000000000000000000000000000aa");
        assert_eq!(state.account(account).unwrap().unwrap().balance, U256::from(1000));
        assert_eq!(state.storage(account, U256::from(1)).unwrap(), U256::from(2));
    }

    #[test]
    fn a_bad_field_is_named_with_its_value() {
        let error =
            |text: &str| ChainSpec::from_genesis_json("g.json", text).unwrap_err().to_string();
        let cases = [
            (r#"{"config": {}}"#, "config.chainId is missing"),
            (r#"{"a": 1}"#, "g.json: config is missing"),
            (r#"{"config": {"chainId": "x"}}"#, "config.chainId is \"x\": "),
            (r#"{"chainId": 1, "homesteadBlock": -1}"#, "homesteadBlock is -1: "),
            (r#"{"chainId": 1, "amsterdamTime": 1}"#, "amsterdamTime is 1: this fork"),
            (
                r#"{"chainId": 1, "eip150Block": 1}"#,
                "homesteadBlock is missing, though eip150Block",
            ),
            (
                r#"{"chainId": 1, "homesteadBlock": 2, "eip150Block": 1}"#,
                "homesteadBlock is 2: later than eip150Block (1)",
            ),
            (r#"{"chainId": 1, "bpo1Time": 5}"#, "blobSchedule.bpo1 is missing, though bpo1Time"),
            (
                r#"{"chainId": 1, "cancunTime": 5, "shanghaiTime": 5, "blobSchedule":
                    {"cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 0}}}"#,
                "blobSchedule.cancun.baseFeeUpdateFraction is 0: ",
            ),
        ];
        for (text, expected) in cases {
            let error = error(text);
            assert!(error.contains(expected), "{error}\n{expected}");
        }
    }
}
