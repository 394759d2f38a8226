//! Transactions of a plan as revm takes them, with the nonces that they need.

use std::collections::BTreeMap;

use chorus::evm::TxEnv;
use revm::{
    context::either::Either,
    context_interface::transaction::{
        AccessList, AccessListItem, Authorization, RecoveredAuthority, RecoveredAuthorization,
    },
    primitives::{Address, B256, TxKind, U256},
};

use super::{AuthPlan, Fault, Form, Price, Target, TxPlan, Who, op::encode};

/// The nonces that accounts have if everything goes as planned. It does not always (a delegated
/// account may create contracts, a sender may run out of funds), and then the block holds a few
/// more invalid transactions.
#[derive(Debug, Default)]
pub(super) struct Nonces(BTreeMap<Address, u64>);

impl Nonces {
    fn of(&mut self, who: Who) -> &mut u64 {
        let before = match who {
            Who::Eoa(i) => i.into(),
            Who::Delegated(_) => 1,
            _ => 0,
        };
        self.0.entry(who.address()).or_insert(before)
    }

    pub(super) fn transaction(&mut self, plan: &TxPlan, base_fee: u64) -> TxEnv {
        let nonce = *self.of(plan.sender);
        let tip = match plan.price {
            Price::Bare => 0,
            Price::Tip(tip) => u128::from(tip),
        };
        let (kind, data) = match &plan.target {
            Target::Pay(to) => (TxKind::Call(to.address()), Vec::new()),
            Target::Run(to, program) => (TxKind::Call(to.address()), encode(program)),
            Target::Dive(times) => {
                let word = U256::from(*times).to_be_bytes::<32>();
                (TxKind::Call(Who::Diver.address()), word.to_vec())
            }
            Target::Create(init) => (TxKind::Create, init.code()),
        };
        let mut env = TxEnv {
            caller: plan.sender.address(),
            gas_limit: plan.gas_limit,
            gas_price: u128::from(base_fee) + tip,
            kind,
            value: U256::from(plan.value),
            data: data.into(),
            nonce,
            chain_id: Some(1),
            ..Default::default()
        };
        if plan.fault.is_none() {
            *self.of(plan.sender) += 1;
        }
        self.give_form(&mut env, &plan.form, tip);
        if let Some(fault) = plan.fault {
            break_with(&mut env, fault);
        }
        env
    }

    fn give_form(&mut self, env: &mut TxEnv, form: &Form, tip: u128) {
        let mut fee_market = |tx_type| {
            env.tx_type = tx_type;
            env.gas_priority_fee = Some(tip);
            env.gas_price *= 2; // a fee cap with room to spare
        };
        match form {
            Form::Legacy => env.tx_type = 0,
            Form::AccessList(accounts) => {
                env.tx_type = 1;
                let item = |who: &Who| AccessListItem {
                    address: who.address(),
                    storage_keys: vec![B256::ZERO, B256::with_last_byte(1)],
                };
                env.access_list = AccessList(accounts.iter().map(item).collect());
            }
            Form::FeeMarket => fee_market(2),
            Form::Blobs(count) => {
                fee_market(3);
                env.max_fee_per_blob_gas = 5;
                env.blob_hashes = (0..*count).map(blob).collect();
            }
            Form::Authorizations(plans) => {
                fee_market(4);
                for plan in plans {
                    env.authorization_list.push(Either::Right(self.authorization(plan)));
                }
            }
        }
    }

    fn authorization(&mut self, plan: &AuthPlan) -> RecoveredAuthorization {
        let mut nonce = u64::from(plan.skew);
        if let Some(authority) = plan.authority {
            let has_code = matches!(authority, Who::Script(_) | Who::Proxy(_) | Who::Diver);
            let now = self.of(authority);
            nonce += *now;
            *now += u64::from(plan.skew == 0 && plan.chain_id <= 1 && !has_code);
        }
        let inner = Authorization {
            chain_id: U256::from(plan.chain_id),
            address: plan.delegate.map(Who::address).unwrap_or_default(),
            nonce,
        };
        let authority = plan.authority.map(Who::address);
        let authority = authority.map_or(RecoveredAuthority::Invalid, RecoveredAuthority::Valid);
        RecoveredAuthorization::new_unchecked(inner, authority)
    }
}

fn blob(i: u8) -> B256 {
    let mut hash = B256::repeat_byte(i);
    hash[0] = 1;
    hash
}

fn break_with(env: &mut TxEnv, fault: Fault) {
    match fault {
        Fault::NonceTooHigh => env.nonce += 1,
        Fault::NonceTooLow => env.nonce = env.nonce.wrapping_sub(1),
        Fault::TooPoor => env.value = U256::from(1) << 200,
        Fault::GasOverBlock => {} // once the block's limit is known
        Fault::GasUnderIntrinsic => env.gas_limit = 20_999,
        Fault::FreeOfCharge => {
            env.gas_price = 0;
            env.gas_priority_fee = env.gas_priority_fee.map(|_| 0);
        }
        Fault::SenderHasCode => env.caller = Who::Script(1).address(),
        Fault::ForeignChain => env.chain_id = Some(2),
        Fault::TooManyBlobs => {
            env.tx_type = 3;
            env.gas_priority_fee.get_or_insert(0);
            env.max_fee_per_blob_gas = 5;
            env.blob_hashes = (0..10).map(blob).collect();
        }
        Fault::UnknownForm => {
            env.tx_type = 4;
            env.gas_priority_fee.get_or_insert(0);
            env.authorization_list.clear();
        }
    }
}
