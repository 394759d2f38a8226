//! What a chain's configuration says, and Ethereum mainnet's.

use alloy_primitives::{Address, U256, address};

/// When each fork starts; `None` means never. Proof-of-work forks start at a block number, later
/// ones at a timestamp.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForkSchedule {
    /// First block of Homestead (EIP-606).
    pub homestead: Option<u64>,
    /// First block of Tangerine Whistle (EIP-608).
    pub tangerine: Option<u64>,
    /// First block of Spurious Dragon (EIP-607).
    pub spurious_dragon: Option<u64>,
    /// First block of Byzantium (EIP-609).
    pub byzantium: Option<u64>,
    /// First block of Petersburg (EIP-1716), which on every supported chain is Constantinople's.
    pub petersburg: Option<u64>,
    /// First block of Istanbul (EIP-1679).
    pub istanbul: Option<u64>,
    /// First block of Berlin.
    pub berlin: Option<u64>,
    /// First block of London.
    pub london: Option<u64>,
    /// When proof of stake takes over.
    pub merge: Merge,
    /// First timestamp of Shanghai.
    pub shanghai: Option<u64>,
    /// First timestamp of Cancun.
    pub cancun: Option<u64>,
    /// First timestamp of Prague.
    pub prague: Option<u64>,
    /// First timestamp of Osaka.
    pub osaka: Option<u64>,
}

/// How a chain tells blocks after the merge from those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Merge {
    /// Proof of stake never takes over.
    #[default]
    Never,
    /// This is the first block of proof of stake.
    Block(u64),
    /// Blocks of difficulty zero are proof of stake (EIP-3675). This serves chains whose
    /// configuration gives a total difficulty only, which no single block can be compared with.
    ZeroDifficulty,
}

/// Blob limits from a moment on (EIP-4844, EIP-7691, EIP-7892).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobParameters {
    /// The first timestamp they are in force.
    pub timestamp: u64,
    /// Blobs per block that leave the blob fee as it is.
    pub target: u64,
    /// The most blobs a block may hold.
    pub max: u64,
    /// Base fee update fraction.
    pub update_fraction: u64,
}

/// What differs from chain to chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSpec {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// When each fork starts.
    pub forks: ForkSchedule,
    /// Blob limits, ascending by timestamp, none before Cancun.
    pub blobs: Vec<BlobParameters>,
    /// The block of the DAO fork's irregular state change, if the chain made it.
    pub dao_fork: Option<u64>,
    /// The contract whose logs are deposits (EIP-6110).
    pub deposit_contract: Option<Address>,
    /// Blocks before the merge are sealed by signers (clique), not by work. Their headers do not
    /// say who earns the fees.
    pub clique: bool,
}

/// Cancun's blob limits (EIP-4844).
pub(super) const CANCUN_BLOBS: [u64; 3] = [3, 6, 3_338_477];
/// Prague's blob limits (EIP-7691); Osaka keeps them.
pub(super) const PRAGUE_BLOBS: [u64; 3] = [6, 9, 5_007_716];

impl ChainSpec {
    /// Ethereum mainnet, Frontier to Osaka with both blob-parameter forks after it.
    pub fn mainnet() -> Self {
        let forks = ForkSchedule {
            homestead: Some(1_150_000),
            tangerine: Some(2_463_000),
            spurious_dragon: Some(2_675_000),
            byzantium: Some(4_370_000),
            petersburg: Some(7_280_000),
            istanbul: Some(9_069_000),
            berlin: Some(12_244_000),
            london: Some(12_965_000),
            merge: Merge::Block(15_537_394),
            shanghai: Some(1_681_338_455),
            cancun: Some(1_710_338_135),
            prague: Some(1_746_612_311),
            osaka: Some(1_764_798_551),
        };
        let blobs = vec![
            BlobParameters::new(1_710_338_135, CANCUN_BLOBS),
            BlobParameters::new(1_746_612_311, PRAGUE_BLOBS),
            BlobParameters::new(1_765_290_071, [10, 15, 8_346_193]),
            BlobParameters::new(1_767_747_671, [14, 21, 11_684_671]),
        ];
        Self {
            chain_id: 1,
            forks,
            blobs,
            dao_fork: Some(1_920_000),
            deposit_contract: Some(address!("0x00000000219ab540356cBB839Cbe05303d7705Fa")),
            clique: false,
        }
    }
}

impl Default for ChainSpec {
    fn default() -> Self {
        Self::mainnet()
    }
}

impl BlobParameters {
    pub(super) fn new(timestamp: u64, [target, max, update_fraction]: [u64; 3]) -> Self {
        Self { timestamp, target, max, update_fraction }
    }
}

/// Ether in wei.
pub(super) fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(1_000_000_000_000_000_000_u64)
}
