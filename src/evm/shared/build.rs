//! An EVM with shared memory, or exactly revm's where that is off.

use revm::{
    context::{Cfg, ContextTr, Evm},
    handler::{EthFrame, instructions::EthInstructions},
    interpreter::interpreter::EthInterpreter,
    primitives::hardfork::SpecId,
};

use super::{instructions::install, journal::SharedJournal, precompile::SharedPrecompiles};
use crate::evm::{inner_loop::Instructions, poll};

/// revm's EVM with the opcodes and the precompile of shared memory.
pub type SharedEvm<CTX> =
    Evm<CTX, (), Instructions<CTX>, SharedPrecompiles, EthFrame<EthInterpreter>>;

/// Builds the EVM for a context, whose journal knows whether shared memory is active and whether the
/// block can be stopped.
pub fn build<CTX>(mut context: CTX) -> SharedEvm<CTX>
where
    CTX: ContextTr<Journal: SharedJournal>,
{
    let spec: SpecId = context.cfg().spec().into();
    let config = context.journal_mut().shared().active().cloned();
    let mut instructions = EthInstructions::new_mainnet_with_spec(spec);
    if let Some(config) = &config {
        install(&mut instructions, config);
    }
    if context.journal_mut().shared().is_watched() {
        poll::install(&mut instructions);
    }
    let precompiles = SharedPrecompiles::new(spec, config.as_deref());
    Evm::new(context, instructions.into(), precompiles)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
    use revm::{
        Context, Database,
        bytecode::{Bytecode, opcode as op},
        context::{BlockEnv, CfgEnv, JournalTr, LocalContext, TxEnv, result::EVMError},
        handler::Handler,
        state::AccountInfo,
    };

    use super::*;
    use crate::{
        evm::{
            CollisionJournal, StorageProbe, StoreError,
            inner_loop::FrameHandler,
            shared::{RegionSource, Shared},
        },
        region::{
            Handle,
            config::SharedMemoryConfig,
            content::PageKey,
            handle::RegionId,
            meta::Meta,
            page::Page,
            sidecar::Sidecar,
            world::{Found, Interrupt, World},
        },
        registry::Lease,
        sync::Arc,
    };

    const INNER: Address = Address::repeat_byte(1);
    const OUTER: Address = Address::repeat_byte(2);
    const CALLER: Address = Address::repeat_byte(3);

    /// A database whose regions cannot answer.
    struct Broken(Option<StoreError>);

    impl World for Broken {
        fn meta(&mut self, _: RegionId) -> Result<Found<(Meta, Option<Lease>)>, Interrupt> {
            Err(Interrupt::Stop)
        }

        fn page(&mut self, _: PageKey) -> Result<Found<Option<Arc<Page>>>, Interrupt> {
            Err(Interrupt::Stop)
        }

        fn sidecar(&mut self, _: Handle) -> Option<Arc<Sidecar>> {
            None
        }
    }

    impl RegionSource for Broken {
        fn regions(&mut self) -> Option<&mut dyn World> {
            Some(self)
        }

        fn take_region_failure(&mut self) -> Option<StoreError> {
            self.0.take()
        }
    }

    impl StorageProbe for Broken {
        fn has_storage(&mut self, _: Address) -> bool {
            false
        }
    }

    /// SHARED_OPEN; a call of that; a call of the precompile's `open`.
    fn code(address: Address, precompile: Address) -> Vec<u8> {
        let call = |to: Address, input: u8| {
            let mut call = vec![op::PUSH0, op::PUSH0, op::PUSH1, input, op::PUSH0, op::PUSH20];
            call.extend_from_slice(to.as_slice());
            call.extend_from_slice(&[op::GAS, op::STATICCALL]);
            call
        };
        match address {
            INNER => vec![op::PUSH1, 1, op::PUSH1, 1, 0xEA],
            OUTER => call(INNER, 0),
            _ => {
                // open(1, 1)
                let mut code = vec![op::PUSH4, 0x8a, 0x0a, 0xa6, 0x65, op::PUSH1, 224, op::SHL];
                code.extend_from_slice(&[op::PUSH0, op::MSTORE, op::PUSH1, 1, op::PUSH1, 4]);
                code.extend_from_slice(&[op::MSTORE, op::PUSH1, 1, op::PUSH1, 36, op::MSTORE]);
                code.extend(call(precompile, 68));
                code
            }
        }
    }

    impl Database for Broken {
        type Error = StoreError;

        fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
            let precompile = Address::new(SharedMemoryConfig::production().chain.precompile.0);
            if ![INNER, OUTER, CALLER].contains(&address) {
                return Ok(None);
            }
            let code = Bytecode::new_legacy(Bytes::from(code(address, precompile)));
            Ok(Some(AccountInfo::from_bytecode(code)))
        }

        fn code_by_hash(&mut self, _: B256) -> Result<Bytecode, StoreError> {
            unreachable!("accounts come with their code")
        }

        fn storage(&mut self, _: Address, _: U256) -> Result<U256, StoreError> {
            Ok(U256::ZERO)
        }

        fn block_hash(&mut self, _: u64) -> Result<B256, StoreError> {
            Ok(B256::ZERO)
        }
    }

    fn run(to: Address, data: Bytes, failure: Option<StoreError>) -> EVMError<StoreError> {
        let config = Arc::new(SharedMemoryConfig::production().chain);
        let journal = CollisionJournal::new(Broken(failure)).with_shared(Shared::new(Some(config)));
        let context: Context<BlockEnv, TxEnv, CfgEnv, Broken, CollisionJournal<Broken>> = Context {
            block: BlockEnv::default(),
            tx: TxEnv::default(),
            cfg: CfgEnv::default(),
            journaled_state: journal,
            chain: (),
            local: LocalContext::default(),
            error: Ok(()),
        };
        let mut evm = build(context.with_cfg(CfgEnv::new_with_spec(SpecId::PRAGUE)));
        let kind = TxKind::Call(to);
        let tx = TxEnv { kind, data, gas_limit: 1_000_000, ..TxEnv::default() };
        evm.ctx.tx = tx;
        FrameHandler::default().run(&mut evm).expect_err("the host stops")
    }

    #[test]
    fn a_world_that_stops_is_the_hosts_error_and_no_contracts_result() {
        let error = || StoreError::Account { address: INNER, reason: "broken".into() };
        let mut open = vec![0x8a, 0x0a, 0xa6, 0x65];
        open.extend_from_slice(&[1; 64]);
        let direct = Address::new(SharedMemoryConfig::production().chain.precompile.0);
        // Opcode and precompile, in the first frame and in a deeper one.
        for to in [INNER, OUTER, CALLER, direct] {
            // An owner of more than 20 bytes would be nobody.
            let mut data = open.clone();
            data[4..16].fill(0);
            match run(to, data.clone().into(), Some(error())) {
                EVMError::Database(found) => assert_eq!(found, error(), "{to}"),
                other => panic!("{to}: {other}"),
            }
            assert!(matches!(run(to, data.into(), None), EVMError::Custom(_)), "{to}");
        }
    }
}
