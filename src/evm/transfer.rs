//! Plain transfers of value, which need no interpreter.
//!
//! A transaction that moves ether between two accounts without code does the same few sums whatever else
//! the chain's rules are: revm spends most of its time on such a one on setting up what the transfer never
//! uses. Here is what stays, and the conditions under which it is the whole truth:
//!
//! | of | condition | why |
//! |---|---|---|
//! | block | before Amsterdam | EIP-7708 logs transfers, EIP-8037 prices new accounts |
//! | block | a header that revm executes | its error is the block's |
//! | transaction | a call without data, access list, blobs, authorisations | each of them adds gas or checks |
//! | transaction | positive value | with none the recipient may be an empty account that is touched |
//! | transaction | recipient is no precompile and not the sender | |
//! | transaction | every check of revm's validation passes | an invalid one is revm's to report |
//! | state | neither account has code, not even a delegation | EIP-3607, EIP-7702 |
//! | state | the nonce, and funds for the most that the transaction can cost | |
//!
//! Whatever fails a condition goes through revm, so this module knows success only. Gas and prices come from
//! revm's own functions. The ways of execution differ in how they read and write accounts:
//! [`machine`](super::machine) does it on versions, [`sequential`](super::sequential) on the state of a
//! block that goes one by one. The sequential reference, to which everything is compared, does not use it.

use alloy_primitives::{Address, Bytes, U256};
use revm::{
    context::{
        Cfg, CfgEnv, Transaction, TxEnv,
        result::{ExecutionResult, Output, ResultGas, SuccessReason},
    },
    handler::validation::validate_initial_tx_gas,
    precompile::{PrecompileSpecId, Precompiles},
    primitives::{TxKind, hardfork::SpecId},
};

use super::{Block, rules};

/// Precompiles are at addresses below 2^16, which nobody has the key of.
const RESERVED: usize = 18;

/// Type of the first transactions with an access list (EIP-2930).
const ACCESS_LIST: u8 = 1;
/// Type of transactions with a priority fee (EIP-1559), the last that can be plain.
const PRIORITY_FEE: u8 = 2;

/// What a block fixes of plain transfers.
#[derive(Clone, Debug)]
pub(crate) struct Transfers {
    chain_id: u64,
    base_fee: u128,
    /// Of a transaction: the block's, or the cap of EIP-7825 if that is lower.
    gas_limit: u64,
    gas: u64,
    floor_gas: u64,
    last_type: u8,
    /// The base fee is burnt (EIP-1559).
    burns: bool,
    beneficiary: Address,
    /// The precompile of shared memory, if that is in force.
    precompile: Option<Address>,
}

/// A plain transfer, as far as the transaction and the block determine it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) value: U256,
    /// What the sender's nonce has to be; it is raised by one.
    pub(crate) nonce: u64,
    /// What the sender has to have.
    pub(crate) needed: U256,
    /// What the sender pays besides the value.
    pub(crate) fee: U256,
    /// What the beneficiary gets of it.
    pub(crate) reward: U256,
}

impl Transfers {
    /// Those of a block. `None` if it has none that could be told apart from others beforehand.
    pub(crate) fn new(block: &Block, precompile: Option<Address>) -> Option<Self> {
        let spec = block.spec;
        let env = &block.env;
        let header = (env.prevrandao.is_some() || !spec.is_enabled_in(SpecId::MERGE))
            && (env.blob_excess_gas_and_price.is_some() || !spec.is_enabled_in(SpecId::CANCUN));
        if spec.is_enabled_in(SpecId::AMSTERDAM) || !header || !precompiles_are_reserved(spec) {
            return None;
        }
        let cfg: CfgEnv = rules::cfg_env(block);
        let any = TxEnv { kind: TxKind::Call(Address::ZERO), ..TxEnv::default() };
        let cap = cfg.tx_gas_limit_cap();
        let gas = TxEnv { gas_limit: u64::MAX, ..any };
        let gas = validate_initial_tx_gas(&gas, spec, false, false, cap, None).ok()?;
        Some(Self {
            chain_id: cfg.chain_id,
            base_fee: env.basefee.into(),
            gas_limit: env.gas_limit.min(cap),
            gas: gas.initial_total_gas(),
            floor_gas: gas.floor_gas(),
            last_type: match spec {
                _ if spec.is_enabled_in(SpecId::LONDON) => PRIORITY_FEE,
                _ if spec.is_enabled_in(SpecId::BERLIN) => ACCESS_LIST,
                _ => 0,
            },
            burns: spec.is_enabled_in(SpecId::LONDON),
            beneficiary: env.beneficiary,
            precompile,
        })
        .filter(|transfers| transfers.floor_gas <= transfers.gas)
    }

    /// Whether the transaction looks like one. Most that do are, and no other is.
    #[inline]
    pub(crate) fn resembles(tx: &TxEnv) -> bool {
        tx.kind.is_call() && tx.data.is_empty() && !tx.value.is_zero()
    }

    /// The transfer that this transaction is, if it is one.
    #[inline]
    pub(crate) fn plan(&self, tx: &TxEnv) -> Option<Transfer> {
        if self.admits(tx) { self.assess(tx) } else { None }
    }

    /// Whether the transaction is one, but for what it can cost.
    #[inline]
    fn admits(&self, tx: &TxEnv) -> bool {
        let TxKind::Call(to) = tx.kind else { return false };
        if !tx.data.is_empty() || tx.value.is_zero() || tx.tx_type > self.last_type {
            return false;
        }
        let bare = tx.access_list.is_empty()
            && tx.blob_hashes.is_empty()
            && tx.authorization_list.is_empty();
        let reserved = to[..RESERVED].iter().all(|byte| *byte == 0) || self.precompile == Some(to);
        if !bare || reserved || to == tx.caller || self.precompile == Some(tx.caller) {
            return false;
        }
        let chain = match tx.chain_id {
            Some(id) => id == self.chain_id,
            None => tx.tx_type == 0,
        };
        let gas = (self.gas..=self.gas_limit).contains(&tx.gas_limit);
        chain && gas && tx.nonce != u64::MAX
    }

    /// What comes of a transaction that is known to be one, if it can be paid for.
    #[inline]
    pub(crate) fn assess(&self, tx: &TxEnv) -> Option<Transfer> {
        let TxKind::Call(to) = tx.kind else { return None };
        // Without a priority fee, the price is both the most and what is paid.
        let priority = match tx.tx_type {
            PRIORITY_FEE => tx.gas_priority_fee.unwrap_or_default(),
            _ => 0,
        };
        let price = tx.effective_gas_price(self.base_fee);
        if priority > tx.gas_price || price < self.base_fee {
            return None;
        }
        let needed = tx.max_balance_spending().ok()?;
        let kept = if self.burns { price - self.base_fee } else { price };
        Some(Transfer {
            from: tx.caller,
            to,
            value: tx.value,
            nonce: tx.nonce,
            needed,
            // Less than what is needed, which did not overflow.
            fee: U256::from(price * u128::from(self.gas)),
            reward: U256::from(kept * u128::from(self.gas)),
        })
    }

    /// Whether this account is paid the fees.
    #[inline]
    pub(crate) fn pays(&self, account: Address) -> bool {
        account == self.beneficiary
    }

    /// The result of a transfer that goes through.
    #[inline]
    pub(crate) fn result(&self) -> ExecutionResult {
        ExecutionResult::Success {
            reason: SuccessReason::Stop,
            gas: ResultGas::default().with_total_gas_spent(self.gas).with_floor_gas(self.floor_gas),
            logs: Vec::new(),
            output: Output::Call(Bytes::new()),
        }
    }
}

fn precompiles_are_reserved(spec: SpecId) -> bool {
    Precompiles::new(PrecompileSpecId::from_spec_id(spec))
        .addresses()
        .all(|address| address[..RESERVED].iter().all(|byte| *byte == 0))
}
