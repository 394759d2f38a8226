use std::sync::Arc;

use chorus::{
    evm::{Block, ChainSpec, Engine, InvalidPolicy, Path, Sequential, SpecId, input},
    store::rpc::Existence,
};

use super::*;

/// Real blocks over a node give what they give over their directories, read for read.
#[test]
fn real_blocks_over_a_node_give_what_their_headers_say() {
    let Some(root) = data::blocks_dir() else { return };
    let server = Server::new(World::of_directories(&root));
    let chain = ChainSpec::mainnet();
    let nodes = [Existence::NotEmpty, Existence::ByCodeHash]
        .map(|existence| node(&server, RpcOptions { existence, ..options() }));
    let engine = Engine::builder().threads(2).path(Path::Parallel).build().unwrap();
    let directories = input::discover(&root).unwrap();
    let share = if data::full_sweep() { 1 } else { 4 };
    for directory in directories.iter().step_by(share) {
        let (local, prestate) = input::load_block(directory, &chain).unwrap();
        let number: u64 = local.env.number.to();
        let before = local.spec < SpecId::SPURIOUS_DRAGON;
        let node = &nodes[usize::from(before)];
        let text = node.block_json_blocking(number).unwrap();
        let block = Block::from_rpc_json("the node", &text, &chain).unwrap();
        let store = node.state_before_blocking(number).unwrap();
        let expected = Sequential::new().execute(&local, &prestate, InvalidPolicy::Fail).unwrap();
        let outcome = Sequential::new().execute(&block, &store, InvalidPolicy::Fail).unwrap();
        assert_eq!(outcome.gas_used, expected.gas_used, "block {number}");
        assert_eq!(outcome.receipts_root(), expected.receipts_root(), "block {number}");
        // Over a state of which nothing is known yet.
        let store = node.state_before_blocking(number).unwrap();
        let outcome = engine.execute(&Arc::new(block), &(Arc::new(store) as _)).unwrap();
        assert_eq!(outcome.gas_used, expected.gas_used, "block {number}");
        assert_eq!(outcome.receipts_root(), expected.receipts_root(), "block {number}");
    }
}
