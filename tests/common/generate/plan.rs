//! What a generated block is made of, before it is laid out as bytes.

use revm::primitives::hardfork::SpecId;

use super::{Init, Op, Who};

/// A block to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) spec: SpecId,
    pub(crate) beneficiary: Who,
    /// From London on.
    pub(crate) base_fee: u64,
    /// The block's gas limit, in hundredths of the sum of the transactions' (and never below the
    /// largest of them).
    pub(crate) room: u8,
    /// Accounts at places where contracts may be created later, and elsewhere.
    pub(crate) occupied: Vec<(Who, Pre)>,
    pub(crate) transactions: Vec<TxPlan>,
    /// Credited after the last transaction, in Gwei: from Shanghai on.
    pub(crate) withdrawals: Vec<(Who, u64)>,
    /// Beneficiaries of ommers and their age in blocks: before the merge.
    pub(crate) ommers: Vec<(Who, u8)>,
    /// The system contracts exist and are called.
    pub(crate) system: bool,
}

/// What an account is before the block.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pre {
    Empty,
    Balance,
    Nonce,
    /// EIP-7610: storage, and nothing else.
    Storage,
    StorageAndBalance,
    /// A proxy to script 0, with storage.
    Contract,
}

/// A transaction to be.
#[derive(Clone, Debug)]
pub(crate) struct TxPlan {
    pub(crate) sender: Who,
    pub(crate) target: Target,
    pub(crate) value: u16,
    pub(crate) gas_limit: u64,
    pub(crate) price: Price,
    pub(crate) form: Form,
    pub(crate) fault: Option<Fault>,
}

/// What a transaction does.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// Sends ether without calldata.
    Pay(Who),
    /// Runs a program.
    Run(Who, Vec<Op>),
    /// Lets the diver call itself so often.
    Dive(u16),
    /// Creates a contract.
    Create(Init),
}

/// What a transaction pays per gas.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Price {
    /// The base fee: nothing for the beneficiary.
    Bare,
    /// So much more.
    Tip(u8),
}

/// The type of a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    Legacy,
    /// EIP-2930, with the first slots of these accounts: from Berlin on.
    AccessList(Vec<Who>),
    /// EIP-1559: from London on.
    FeeMarket,
    /// EIP-4844, with so many blobs: from Cancun on.
    Blobs(u8),
    /// EIP-7702: from Prague on.
    Authorizations(Vec<AuthPlan>),
}

/// An EIP-7702 authorisation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AuthPlan {
    /// Who signed; `None` stands for a signature that recovers to nobody.
    pub(crate) authority: Option<Who>,
    /// Whose code it gets; `None` clears.
    pub(crate) delegate: Option<Who>,
    /// 0 stands for any chain, 1 is the block's, others are foreign.
    pub(crate) chain_id: u8,
    /// How far the nonce is off.
    pub(crate) skew: u8,
}

/// What makes a transaction invalid.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    NonceTooHigh,
    NonceTooLow,
    TooPoor,
    /// More gas than the block has altogether.
    GasOverBlock,
    /// Less gas than a transaction costs at least.
    GasUnderIntrinsic,
    /// Below the base fee; valid before London.
    FreeOfCharge,
    SenderHasCode,
    ForeignChain,
    /// More blobs than a block may hold, in a form that may not exist yet.
    TooManyBlobs,
    /// A form that a later fork brings, or an empty list of authorisations.
    UnknownForm,
}
