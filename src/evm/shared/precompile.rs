//! The precompile: the same operations, as a Solidity interface (`ISharedMemory.sol`).
//!
//! | | opcode | precompile |
//! |---|---|---|
//! | gas | the operation's | the operation's, and 3 per word of calldata and of return data, errors included |
//! | failure | takes the frame's gas | reverts with a custom error, having charged until the failing check |
//! | static frame | halts | reverts with `StaticViolation()` |
//! | out of gas | halts | halts |
//! | acts for | the frame | the frame that calls it: `target_address` under DELEGATECALL and CALLCODE, else the caller |
//!
//! A call that brings wei reverts with `ValueRefused()`, one that is no call of the interface with
//! `MalformedCall()`.
//!
//! A precompile's call is a checkpoint of its own, so the frame it acts for is one above. Called by a
//! transaction directly, that is the transaction itself, and its mappings end with the call.

use alloy_primitives::{Address, Bytes};
use revm::{
    context::{Cfg, ContextTr, JournalTr},
    handler::{EthPrecompiles, PrecompileProvider},
    interpreter::{CallInputs, CallScheme, CallValue, Gas, InstructionResult, InterpreterResult},
    primitives::{AddressSet, hardfork::SpecId},
};

use super::{
    abi::{self, MALFORMED_CALL, Request, VALUE_REFUSED},
    ask::stop,
    journal::SharedJournal,
};
use crate::{
    region::{self, Call, Fault, OperationKind, config::ChainConfig, error::Reason, session::Plan},
    sync::Arc,
};

/// Ethereum's precompiles, and that of shared memory where it is active.
#[derive(Clone, Debug)]
pub struct SharedPrecompiles {
    ethereum: EthPrecompiles,
    shared: Option<Address>,
}

impl SharedPrecompiles {
    /// The precompiles of a fork, with shared memory or without.
    #[must_use]
    pub fn new(spec: SpecId, config: Option<&ChainConfig>) -> Self {
        let shared = config.map(|config| Address::new(config.precompile.0));
        Self { ethereum: EthPrecompiles::new(spec), shared }
    }
}

impl<CTX: ContextTr<Journal: SharedJournal>> PrecompileProvider<CTX> for SharedPrecompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: <CTX::Cfg as Cfg>::Spec) -> bool {
        PrecompileProvider::<CTX>::set_spec(&mut self.ethereum, spec)
    }

    fn run(
        &mut self,
        context: &mut CTX,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, String> {
        if self.shared.is_some_and(|address| address == inputs.bytecode_address)
            && let Some(config) = context.journal_mut().shared().active().cloned()
        {
            let mut frame = Frame {
                gas: Gas::new_with_regular_gas_and_reservoir(inputs.gas_limit, inputs.reservoir),
                config,
            };
            let (result, output) = match frame.run(context, inputs) {
                Ok(output) => (InstructionResult::Return, output),
                Err(Ending::Revert(output)) => (InstructionResult::Revert, output),
                Err(Ending::OutOfGas) => {
                    frame.gas.spend_all();
                    (InstructionResult::PrecompileOOG, Vec::new())
                }
                Err(Ending::Stop) => (stop(context), Vec::new()),
            };
            return Ok(Some(InterpreterResult::new(result, Bytes::from(output), frame.gas)));
        }
        self.ethereum.run(context, inputs)
    }

    /// Those of Ethereum. That of shared memory is warmed when a transaction meets it
    /// ([`Shared::meet`](super::Shared::meet)).
    fn warm_addresses(&self) -> &AddressSet {
        self.ethereum.warm_addresses()
    }
}

/// How a call ends without a result.
enum Ending {
    Revert(Vec<u8>),
    OutOfGas,
    /// The host has to stop.
    Stop,
}

/// A call of the precompile.
struct Frame {
    gas: Gas,
    config: Arc<ChainConfig>,
}

impl Frame {
    fn run<CTX: ContextTr<Journal: SharedJournal>>(
        &mut self,
        context: &mut CTX,
        inputs: &CallInputs,
    ) -> Result<Vec<u8>, Ending> {
        self.pay_data(inputs.input.len() as u64)?;
        if matches!(inputs.value, CallValue::Transfer(value) if !value.is_zero()) {
            return Err(self.fail(abi::encode_error(VALUE_REFUSED, &[])));
        }
        let calldata = inputs.input.bytes(context);
        let Some(request) = abi::decode(&calldata) else {
            return Err(self.fail(abi::encode_error(MALFORMED_CALL, &[])));
        };
        let journal = context.journal_mut();
        let call = Call {
            frame: journal.depth().saturating_sub(1),
            actor: region::Address(actor(inputs).0.0),
            is_static: inputs.is_static,
            gas: self.gas.remaining(),
        };
        let plan = match journal.shared_analyse(&call, &request.operation) {
            Ok(plan) => plan,
            Err(Fault::OutOfGas) => return Err(Ending::OutOfGas),
            Err(Fault::Static { gas }) => {
                self.pay(gas)?;
                return Err(self.fail(abi::encode_reason(&Reason::static_violation())));
            }
            Err(Fault::Failed { error, gas }) => {
                self.pay(gas)?;
                return Err(self.fail(abi::encode_reason(&error.reason())));
            }
            Err(Fault::Wait | Fault::Stop) => return Err(Ending::Stop),
        };
        self.pay(plan.gas)?;
        self.carry_out(journal, &request, plan, &calldata)
    }

    /// Pays for the result, and carries out what is analysed and paid.
    fn carry_out<J: SharedJournal>(
        &mut self,
        journal: &mut J,
        request: &Request,
        plan: Plan,
        calldata: &[u8],
    ) -> Result<Vec<u8>, Ending> {
        let kind = request.operation.kind();
        let bytes = match request.operation {
            region::Operation::ReadPadded { len, .. } => u64::try_from(len).unwrap_or(u64::MAX),
            _ => plan.bytes,
        };
        self.pay_data(abi::result_length(kind, bytes))?;
        let shared = journal.shared();
        let output = match kind {
            OperationKind::Read | OperationKind::ReadPadded => {
                let (mut result, place) = abi::encode_bytes(bytes as usize);
                let present = place.start..place.start + plan.bytes as usize;
                shared.read(plan, &mut result[present]);
                return Ok(result);
            }
            OperationKind::Write => {
                let data = &calldata[request.data.clone()];
                shared.write(plan, data)
            }
            _ => shared.execute(plan),
        };
        Ok(abi::encode(&output))
    }

    /// A revert with an error that has been paid for.
    fn fail(&mut self, error: Vec<u8>) -> Ending {
        match self.pay_data(error.len() as u64) {
            Ok(()) => Ending::Revert(error),
            Err(ending) => ending,
        }
    }

    fn pay_data(&mut self, bytes: u64) -> Result<(), Ending> {
        self.pay(self.config.gas.data(bytes))
    }

    fn pay(&mut self, gas: u64) -> Result<(), Ending> {
        if self.gas.record_regular_cost(gas) { Ok(()) } else { Err(Ending::OutOfGas) }
    }
}

/// Whose rights a call acts with: those of the frame that makes it.
fn actor(inputs: &CallInputs) -> Address {
    match inputs.scheme {
        CallScheme::CallCode | CallScheme::DelegateCall => inputs.target_address,
        CallScheme::Call | CallScheme::StaticCall => inputs.caller,
    }
}
