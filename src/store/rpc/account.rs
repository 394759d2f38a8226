//! Which calls answer a query, and what their results say.
//!
//! | query | with proofs | without |
//! |---|---|---|
//! | account | `eth_getProof` (balance, nonce, hashes of code and storage), `eth_getCode` | `eth_getBalance`, `eth_getTransactionCount`, `eth_getCode` |
//! | slot | `eth_getStorageAt` | the same |
//! | has storage | `eth_getProof` | none: see [`Plan::new`] |
//! | hash of a block | `eth_getBlockByNumber` | the same |
//!
//! The calls of a query go out together, so each costs one round trip. An account's proof also says
//! whether it has storage, which is kept.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;
use revm::{bytecode::Bytecode, primitives::KECCAK_EMPTY, state::AccountInfo};

use super::{
    CallError, Existence, Fault,
    call::{CallResult, bracketed},
};
use crate::{
    evm::input::{Field, InputError, Tree},
    store::{Answer, Query},
};

/// Code as an account has it: the 23 bytes of an EIP-7702 designator are a delegation, anything else
/// is ordinary code.
pub(super) fn bytecode(code: Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code))
}

/// A call's method and parameters.
pub(super) type Asked = (&'static str, String);

/// What is called for a query.
pub(super) struct Plan {
    pub(super) query: Query,
    pub(super) calls: Vec<Asked>,
    proof: bool,
}

/// What came of the calls.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) answer: Answer,
    /// What the calls said besides.
    pub(super) besides: Option<(Query, Answer)>,
}

/// Why there is no answer.
#[derive(Debug, PartialEq)]
pub(super) enum Lost {
    /// The node gives no proofs; there is another plan.
    NoProofs(Box<CallError>),
    /// The answer cannot be had.
    Failed(Box<CallError>),
}

impl Plan {
    /// The calls for a query of the state at `tag`, a JSON value. None are needed to say that an
    /// account has no storage if the node gives no proofs: nothing else tells. Such an answer is
    /// right unless a contract is created at an address that has storage and neither nonce nor code,
    /// which no transaction can bring about on a chain that had EIP-161 from the start,
    /// nor on mainnet without a collision of hashes (EIP-7610).
    pub(super) fn new(query: Query, tag: &str, proofs: bool) -> Self {
        let of_account = |method, address: Address| (method, format!(r#"["{address:#x}",{tag}]"#));
        let proof = |address: Address| ("eth_getProof", format!(r#"["{address:#x}",[],{tag}]"#));
        let calls = match query {
            Query::Account(address) if proofs => {
                vec![proof(address), of_account("eth_getCode", address)]
            }
            Query::Account(address) => vec![
                of_account("eth_getBalance", address),
                of_account("eth_getTransactionCount", address),
                of_account("eth_getCode", address),
            ],
            Query::Slot(address, slot) => {
                vec![("eth_getStorageAt", format!(r#"["{address:#x}","{slot:#x}",{tag}]"#))]
            }
            Query::HasStorage(address) if proofs => vec![proof(address)],
            Query::HasStorage(_) => Vec::new(),
            Query::BlockHash(number) => {
                vec![("eth_getBlockByNumber", format!(r#"["{number:#x}",false]"#))]
            }
        };
        Self { query, calls, proof: proofs }
    }

    /// What the results, in the order of the calls, say.
    pub(super) fn read(
        &self,
        node: &str,
        results: Vec<CallResult>,
        existence: Existence,
    ) -> Result<Found, Lost> {
        let mut texts = Vec::new();
        for (place, result) in results.into_iter().enumerate() {
            match result {
                Ok(text) => texts.push(text),
                Err(error) if self.proof && place == 0 && refuses_proof(&error) => {
                    return Err(Lost::NoProofs(error));
                }
                Err(error) => return Err(Lost::Failed(error)),
            }
        }
        let result = |place: usize| Reply { asked: &self.calls[place], node, text: &texts[place] };
        match self.query {
            Query::Account(address) if self.proof => {
                let proof = Proof::read(&result(0), address)?;
                let code = result(1).read(|field| field.bytes())?;
                if proof.code_hash != keccak256(&code) {
                    let wrong = |field: &Field<'_>| {
                        Err::<(), _>(field.wrong(format!("its hash is not {}", proof.code_hash)))
                    };
                    result(1).read(wrong)?;
                }
                let exists = proof.has_storage
                    || existence == Existence::ByCodeHash && proof.names_code
                    || !proof.balance.is_zero()
                    || proof.nonce > 0
                    || !code.is_empty();
                let info = exists.then(|| account(proof.balance, proof.nonce, code));
                let storage = (Query::HasStorage(address), Answer::HasStorage(proof.has_storage));
                Ok(Found { answer: Answer::Account(info), besides: Some(storage) })
            }
            Query::Account(_) => {
                let balance = result(0).read(|field| field.u256())?;
                let nonce = result(1).read(|field| field.u64())?;
                let code = result(2).read(|field| field.bytes())?;
                let exists = !balance.is_zero() || nonce > 0 || !code.is_empty();
                Ok(alone(Answer::Account(exists.then(|| account(balance, nonce, code)))))
            }
            Query::Slot(..) => {
                let word = result(0).read(|field| field.b256())?;
                Ok(alone(Answer::Slot(word.into())))
            }
            Query::HasStorage(_) if texts.is_empty() => Ok(alone(Answer::HasStorage(false))),
            Query::HasStorage(address) => {
                let proof = Proof::read(&result(0), address)?;
                Ok(alone(Answer::HasStorage(proof.has_storage)))
            }
            Query::BlockHash(number) => {
                let hash = result(0).read(|block| header_hash(block, number))?;
                Ok(alone(Answer::BlockHash(hash)))
            }
        }
    }
}

fn alone(answer: Answer) -> Found {
    Found { answer, besides: None }
}

fn account(balance: U256, nonce: u64, code: Bytes) -> AccountInfo {
    let code = bytecode(code);
    AccountInfo::new(balance, nonce, code.hash_slow(), code)
}

/// Errors by which a node says that it has no such method, or no proofs of so old a block. A value
/// that makes no sense is not one of them.
fn refuses_proof(error: &CallError) -> bool {
    error.method == "eth_getProof"
        && match &error.fault {
            Fault::Node { .. } => true,
            fault @ Fault::Status { .. } => !fault.may_pass(),
            _ => false,
        }
}

/// The number in a block, which must be that of the block asked for.
pub(super) fn check_number(block: &Field<'_>, number: u64) -> Result<(), InputError> {
    let given = block.get("number")?;
    if given.u64()? != number {
        return Err(given.wrong(format!("block {number} was asked for")));
    }
    Ok(())
}

/// The hash in a header of the number asked for.
pub(super) fn header_hash(block: &Field<'_>, number: u64) -> Result<B256, InputError> {
    check_number(block, number)?;
    block.get("hash")?.b256()
}

/// A result, and what was asked for it.
pub(super) struct Reply<'a> {
    pub(super) asked: &'a Asked,
    pub(super) node: &'a str,
    pub(super) text: &'a str,
}

impl Reply<'_> {
    /// Reads the result.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Field<'_>) -> Result<T, InputError>,
    ) -> Result<T, Box<CallError>> {
        let value = Tree::parse("", self.text).and_then(|tree| read(&Field::root("", &tree)));
        value.map_err(|error| {
            Box::new(CallError {
                node: self.node.to_owned(),
                method: self.asked.0,
                params: bracketed(&self.asked.1),
                attempts: 1,
                fault: error.into(),
            })
        })
    }
}

impl From<Box<CallError>> for Lost {
    fn from(error: Box<CallError>) -> Self {
        Self::Failed(error)
    }
}

/// What an answer of `eth_getProof` says, the proof itself aside: a node is trusted here no more and
/// no less than with other calls.
struct Proof {
    balance: U256,
    nonce: u64,
    code_hash: B256,
    /// The node gave a hash for the code, if only that of no bytes.
    names_code: bool,
    has_storage: bool,
}

impl Proof {
    fn read(reply: &Reply<'_>, address: Address) -> Result<Self, Box<CallError>> {
        reply.read(|root| {
            if let Some(given) = root.opt("address")
                && given.address()? != address
            {
                return Err(given.wrong(format!("{address:#x} was asked for")));
            }
            // For an account that is absent some nodes answer zeros, others the hashes of nothing.
            let (code, storage) = (root.get("codeHash")?.b256()?, root.get("storageHash")?.b256()?);
            Ok(Self {
                balance: root.get("balance")?.u256()?,
                nonce: root.get("nonce")?.u64()?,
                code_hash: if code.is_zero() { KECCAK_EMPTY } else { code },
                names_code: !code.is_zero(),
                has_storage: !storage.is_zero() && storage != EMPTY_ROOT_HASH,
            })
        })
    }
}
