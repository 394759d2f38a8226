//! Blocks, and the state before each, from block directories.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde_json::{Value, json};

/// What a node knows.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) chain_id: u64,
    directories: BTreeMap<u64, PathBuf>,
    /// Blocks are large; most tests use few of them.
    loaded: Mutex<HashMap<u64, Arc<Loaded>>>,
}

struct Loaded {
    block: Value,
    hashes: BTreeMap<u64, Value>,
    prestate: Value,
    state: State,
}

/// The state before a block.
#[derive(Default)]
pub(crate) struct State {
    accounts: HashMap<Address, Account>,
}

#[derive(Clone, Default)]
pub(crate) struct Account {
    pub(crate) balance: U256,
    pub(crate) nonce: u64,
    pub(crate) code: Bytes,
    storage: HashMap<U256, U256>,
}

impl World {
    /// A world of nothing, on mainnet.
    pub(crate) fn new() -> Self {
        Self { chain_id: 1, ..Self::default() }
    }

    /// The block directories in a directory, whose names are their numbers.
    pub(crate) fn of_directories(root: &Path) -> Self {
        let mut world = Self::new();
        for entry in fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if let Ok(number) = name.parse() {
                world.add(number, &path);
            }
        }
        world
    }

    /// One more block.
    pub(crate) fn add(&mut self, number: u64, directory: &Path) {
        self.directories.insert(number, directory.to_owned());
    }

    fn load(&self, number: u64) -> Option<Arc<Loaded>> {
        let directory = self.directories.get(&number)?;
        let mut loaded = self.loaded.lock().unwrap();
        Some(loaded.entry(number).or_insert_with(|| Arc::new(Loaded::read(directory))).clone())
    }

    /// What `eth_getBlockByNumber` answers: the whole block, or of the blocks before those, number and
    /// hash.
    pub(crate) fn block(&self, number: u64, transactions: bool) -> Value {
        if let Some(loaded) = self.load(number) {
            let mut block = loaded.block.clone();
            if !transactions {
                for transaction in block["transactions"].as_array_mut().unwrap() {
                    *transaction = transaction["hash"].clone();
                }
            }
            return block;
        }
        let followers = self.directories.range(number + 1..=number + 256);
        let hash = followers.filter_map(|(at, _)| self.load(*at)?.hashes.get(&number).cloned());
        match hash.into_iter().next() {
            Some(hash) => json!({"number": format!("{number:#x}"), "hash": hash}),
            None => Value::Null,
        }
    }

    pub(crate) fn state_at(&self, number: u64) -> Option<Held> {
        self.load(number + 1).map(Held)
    }

    pub(crate) fn state_at_hash(&self, hash: &str) -> Option<Held> {
        let numbers = self.directories.keys().copied();
        numbers
            .filter_map(|number| self.load(number))
            .find(|loaded| loaded.block["parentHash"].as_str().is_some_and(|parent| parent == hash))
            .map(Held)
    }

    pub(crate) fn trace(&self, number: u64) -> Option<Value> {
        let loaded = self.load(number)?;
        let count = loaded.block["transactions"].as_array().unwrap().len();
        // Everything is in the first transaction's part; the others add nothing.
        let mut parts = vec![json!({"result": loaded.prestate})];
        parts.resize(count.max(1), json!({"result": {}}));
        Some(Value::Array(parts))
    }
}

/// A state that is kept.
pub(crate) struct Held(Arc<Loaded>);

impl Held {
    pub(crate) fn account(&self, address: &str) -> Account {
        let address: Address = address.parse().unwrap();
        self.0.state.accounts.get(&address).cloned().unwrap_or_default()
    }

    /// What `eth_getProof` answers, in the manner of geth: an account that is absent has zeros for
    /// hashes.
    pub(crate) fn proof(&self, address: &str) -> Value {
        let account = self.0.state.accounts.get(&address.parse::<Address>().unwrap());
        let exists = account.is_some();
        let account = account.cloned().unwrap_or_default();
        let empty_root = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
        json!({
            "address": address,
            "accountProof": [],
            "balance": format!("{:#x}", account.balance),
            "nonce": format!("{:#x}", account.nonce),
            "codeHash": if exists { keccak256(&account.code) } else { B256::ZERO },
            "storageHash": match account.storage.values().all(U256::is_zero) {
                true => json!(empty_root),
                false => json!(B256::repeat_byte(7)),
            },
            "storageProof": [],
        })
    }
}

impl Account {
    pub(crate) fn slot(&self, slot: &str) -> B256 {
        self.storage.get(&slot.parse::<U256>().unwrap()).copied().unwrap_or_default().into()
    }
}

impl Loaded {
    fn read(directory: &Path) -> Self {
        let json = |name: &str| -> Option<Value> {
            let text = fs::read_to_string(directory.join(name)).ok()?;
            let value: Value = serde_json::from_str(&text).unwrap();
            Some(value.get("result").cloned().unwrap_or(value))
        };
        let block = json("block.json").unwrap();
        let prestate = json("prestate.json").unwrap();
        let number = word(&block["number"]).to::<u64>();
        let mut hashes = BTreeMap::new();
        for (key, hash) in json("block_hashes.json").iter().flat_map(|map| map.as_object().unwrap())
        {
            hashes.insert(key.parse().unwrap(), hash.clone());
        }
        let parent = block["parentHash"].as_str().map(|hash| json!(hash));
        hashes.entry(number - 1).or_insert_with(|| parent.unwrap_or_else(|| json!(B256::ZERO)));
        let state = State::read(&prestate);
        Self { block, hashes, prestate, state }
    }
}

impl State {
    fn read(prestate: &Value) -> Self {
        let accounts = prestate.as_object().unwrap().iter().map(|(address, entry)| {
            let storage = entry["storage"].as_object();
            let storage = storage.into_iter().flatten();
            let account = Account {
                balance: word(&entry["balance"]),
                nonce: word(&entry["nonce"]).to(),
                code: entry["code"].as_str().map_or_else(Bytes::new, |code| code.parse().unwrap()),
                storage: storage.map(|(key, value)| (key.parse().unwrap(), word(value))).collect(),
            };
            (address.parse().unwrap(), account)
        });
        Self { accounts: accounts.collect() }
    }
}

fn word(value: &Value) -> U256 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        Value::Number(number) => U256::from(number.as_u64().unwrap()),
        _ => U256::ZERO,
    }
}
