//! Block directories: finding them, and reading one.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use alloy_primitives::U256;
use revm::primitives::hardfork::SpecId;

use super::{
    Field, InputError, Tree,
    header::{block_and_ommer_count, unwrapped},
    parse_prestate,
};
use crate::{
    evm::{Block, BlockHashes, ChainSpec, Ommer},
    store::MemoryStore,
};

const BLOCK: &str = "block.json";
const PRESTATE: &str = "prestate.json";
const BLOCK_HASHES: &str = "block_hashes.json";
const OMMERS: &str = "ommers.json";

/// An ommer may be this many blocks older than the block that rewards it.
const MAX_OMMER_DEPTH: u64 = 6;

/// The block directories at `path`: itself, or those directly in it, by number. Other files and
/// directories are passed over.
pub fn discover(path: &Path) -> Result<Vec<PathBuf>, InputError> {
    let metadata = fs::metadata(path).map_err(|error| InputError::read(path, error))?;
    if !metadata.is_dir() {
        let reason = "expected a block directory, or a directory of them";
        return Err(InputError::NoBlock { path: path.into(), reason });
    }
    if is_block_directory(path) {
        return Ok(vec![path.into()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| InputError::read(path, error))? {
        let candidate = entry.map_err(|error| InputError::read(path, error))?.path();
        if is_block_directory(&candidate) {
            found.push(candidate);
        }
    }
    if found.is_empty() {
        let reason = "no block.json here or in the directories below";
        return Err(InputError::NoBlock { path: path.into(), reason });
    }
    // Names that are no numbers come last, in the order of the alphabet.
    found.sort_by_cached_key(|directory| {
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name.parse::<u64>().unwrap_or(u64::MAX), name)
    });
    Ok(found)
}

/// One of the two files is enough: the other one missing is then an error, not a block less.
fn is_block_directory(path: &Path) -> bool {
    path.join(BLOCK).is_file() || path.join(PRESTATE).is_file()
}

/// Reads a block directory: the block, and the state it starts from.
pub fn load_block(directory: &Path, chain: &ChainSpec) -> Result<(Block, MemoryStore), InputError> {
    let read = |name| Text::read(directory.join(name));
    let block = read(BLOCK)?;
    let (mut block, ommer_count) = block_and_ommer_count(&block.name, &block.text, chain)?;
    let prestate = read(PRESTATE)?;
    let store = parse_prestate(&prestate.name, &prestate.text, block.spec)?;
    if let Some(text) = Text::read_optional(directory.join(BLOCK_HASHES))? {
        add_block_hashes(&text, &mut block.block_hashes)?;
    }
    if let Some(text) = Text::read_optional(directory.join(OMMERS))? {
        block.ommers = ommers(&text, &block, ommer_count)?;
    }
    Ok((block, store))
}

struct Text {
    name: String,
    text: String,
}

impl Text {
    fn read(path: PathBuf) -> Result<Self, InputError> {
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self { name: path.display().to_string(), text }),
            Err(error) => Err(InputError::read(&path, error)),
        }
    }

    fn read_optional(path: PathBuf) -> Result<Option<Self>, InputError> {
        match fs::exists(&path) {
            Ok(true) => Self::read(path).map(Some),
            Ok(false) => Ok(None),
            Err(error) => Err(InputError::read(&path, error)),
        }
    }
}

fn add_block_hashes(text: &Text, hashes: &mut BlockHashes) -> Result<(), InputError> {
    let tree = Tree::parse(&text.name, &text.text)?;
    let root = Field::root(&text.name, &tree);
    let root = unwrapped(&root);
    for (key, field) in root.entries()? {
        let number = key
            .parse::<u64>()
            .map_err(|_| field.wrong("its key is not a block number (decimal)"))?;
        let hash = field.b256()?;
        // The header's parent hash is among them; so may be "7" and "07".
        if let Some(known) = hashes.insert(number, hash).filter(|known| *known != hash) {
            return Err(field.wrong(format!("block {number} has another hash, {known}")));
        }
    }
    Ok(())
}

fn ommers(text: &Text, block: &Block, count: Option<usize>) -> Result<Vec<Ommer>, InputError> {
    let tree = Tree::parse(&text.name, &text.text)?;
    let root = Field::root(&text.name, &tree);
    let root = unwrapped(&root);
    let mut seen = HashSet::new();
    let mut ommers = Vec::new();
    for item in root.items()? {
        if block.spec.is_enabled_in(SpecId::MERGE) {
            return Err(item.wrong("blocks after the merge have no ommers"));
        }
        let number = item.get("number")?;
        let depth = block.env.number.checked_sub(number.u256()?).unwrap_or_default();
        if depth.is_zero() || depth > U256::from(MAX_OMMER_DEPTH) {
            return Err(number.wrong(format!("block {} takes no such ommer", block.env.number)));
        }
        if let Some(hash) = item.opt("hash")
            && !seen.insert(hash.b256()?)
        {
            return Err(hash.wrong("the same ommer is listed twice"));
        }
        let beneficiary = item.get("miner")?.address()?;
        ommers.push(Ommer { number: number.u64()?, beneficiary });
    }
    match count {
        Some(count) if count != ommers.len() => {
            Err(root.wrong(format!("the block names {count} ommers")))
        }
        _ => Ok(ommers),
    }
}
