//! A model of one transaction's regions after another, straight from the specification: regions are plain
//! bytes, a checkpoint clones all of them, and a revert puts the clone back.
//!
//! It knows nothing of pages that are shared, of overlays or of what has been seen. The numbers of
//! the gas schedule stand here once more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chorus::{
    pool::Class,
    region::{
        Permissions, RegionOptions, SecurityLevel,
        config::ChainConfig,
        content::PageKey,
        error::{
            AccessError, AllocError, ChangeError, CreateError, ExecError, LookupError, MapError,
            RegionError,
        },
        handle::{Address, Handle, Name, RegionId},
        meta::{Birth, Live, Meta},
        operation::{Call, Fault, Operation, Output},
        page_map::PageNumber,
    },
};
use ruint::aliases::U256;
use sha3::{Digest, Keccak256};

use crate::region_run::Done;

const PAGE: u64 = 4096;
const CLASSES: [(Class, u64); 4] =
    [(Class::B64, 64), (Class::K4, 4096), (Class::K64, 65536), (Class::M1, 1 << 20)];

/// `keccak256(kind ‖ owner ‖ name)[..24]`.
fn region_id(kind: u8, owner: Address, name: [u8; 32]) -> [u8; 24] {
    first_24(Keccak256::new().chain_update([kind]).chain_update(owner.0).chain_update(name))
}

fn first_24(hash: Keccak256) -> [u8; 24] {
    hash.finalize()[..24].try_into().unwrap()
}

fn handle(id: [u8; 24], generation: u64) -> Handle {
    let mut bytes = [0; 32];
    bytes[..24].copy_from_slice(&id);
    bytes[24..].copy_from_slice(&generation.to_be_bytes());
    Handle(bytes)
}

fn id_of(handle: Handle) -> [u8; 24] {
    handle.0[..24].try_into().unwrap()
}

#[derive(Clone, Debug)]
struct Region {
    handle: Handle,
    kind: u8,
    owner: Address,
    name: [u8; 32],
    ceiling: u8,
    options: u64,
    bytes: Vec<u8>,
    present: BTreeSet<u64>,
    grants: BTreeMap<Address, u8>,
    class: Option<usize>,
    alive: bool,
    /// Pages that the transaction has touched.
    warm: BTreeSet<u64>,
    /// Pages that the transaction has written.
    written: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
struct Mapping {
    region: usize,
    options: u64,
    rights: u8,
    start: u64,
    window: Option<u64>,
    snapshot: Option<Snapshot>,
    live: bool,
}

#[derive(Clone, Debug)]
struct Snapshot {
    bytes: Vec<u8>,
    /// To be published, byte by byte.
    changed: Vec<bool>,
    /// Pages that have been copied.
    copied: BTreeSet<u64>,
}

#[derive(Clone, Debug, Default)]
struct Frame {
    mappings: Vec<Mapping>,
    /// Pages that the frame has written.
    written: BTreeSet<(usize, u64)>,
}

#[derive(Clone, Debug, Default)]
struct State {
    regions: Vec<Region>,
    /// Creations of persistent regions.
    generations: BTreeMap<[u8; 24], u64>,
    frames: Vec<Frame>,
    warm: BTreeSet<[u8; 24]>,
    words: u64,
    created: u32,
    ordinal: u64,
    blocks: [u32; 4],
}

#[derive(Clone)]
pub(crate) struct Model {
    config: ChainConfig,
    state: State,
    /// What every open checkpoint goes back to, and whether it began a frame.
    checkpoints: Vec<(State, bool)>,
}

struct Bill {
    spent: u64,
    limit: u64,
}

impl Bill {
    fn pay(&mut self, gas: U256) -> Result<(), Fault> {
        let total = gas.saturating_add(U256::from(self.spent));
        if total > U256::from(self.limit) {
            return Err(Fault::OutOfGas);
        }
        self.spent = total.to();
        Ok(())
    }

    fn fail<T>(&self, error: impl Into<RegionError>) -> Result<T, Fault> {
        Err(Fault::Failed { error: error.into(), gas: self.spent })
    }
}

fn gas(number: u64) -> U256 {
    U256::from(number)
}

/// Three for each word.
fn data(len: U256) -> U256 {
    let words = len / gas(32) + gas(u64::from(!(len % gas(32)).is_zero()));
    words.saturating_mul(gas(3))
}

fn memory(words: u64) -> u64 {
    3 * words + words * words / 512
}

fn pages(offset: u64, len: u64) -> std::ops::Range<u64> {
    if len == 0 { 0..0 } else { offset / PAGE..(offset + len - 1) / PAGE + 1 }
}

const READ: u8 = 1;
const WRITE: u8 = 2;
const EXECUTE: u8 = 4;

fn bits(number: u8) -> Permissions {
    Permissions::from_operand(U256::from(number)).unwrap()
}

impl Model {
    pub(crate) fn new(config: ChainConfig) -> Self {
        let state = State { frames: vec![Frame::default()], ..State::default() };
        Self { config, state, checkpoints: Vec::new() }
    }

    pub(crate) fn attach(&mut self, bytes: &[u8]) {
        let hash =
            Keccak256::new().chain_update([2]).chain_update((bytes.len() as u64).to_be_bytes());
        let handle = handle(first_24(hash.chain_update(bytes)), 0);
        self.state.regions.push(Region {
            handle,
            kind: 2,
            owner: Address::default(),
            name: [0; 32],
            ceiling: READ,
            options: 0,
            bytes: bytes.to_vec(),
            present: pages(0, bytes.len() as u64).collect(),
            grants: BTreeMap::new(),
            class: None,
            alive: true,
            warm: BTreeSet::new(),
            written: BTreeSet::new(),
        });
    }

    pub(crate) fn checkpoint(&mut self, frame: bool) {
        self.checkpoints.push((self.state.clone(), frame));
        if frame {
            self.state.frames.push(Frame::default());
        }
    }

    pub(crate) fn commit(&mut self) {
        if let Some((_, true)) = self.checkpoints.pop() {
            self.state.frames.pop();
        }
    }

    pub(crate) fn revert(&mut self) {
        if let Some((before, _)) = self.checkpoints.pop() {
            self.state = before;
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.state.frames.len() - 1
    }

    pub(crate) fn checkpoints(&self) -> usize {
        self.checkpoints.len()
    }

    /// Mappings of a frame that have not been unmapped, with their sizes.
    pub(crate) fn mappings(&self, frame: usize) -> Vec<(u64, u64)> {
        let mappings = self.state.frames[frame].mappings.iter().enumerate();
        let live = mappings.filter(|(_, mapping)| mapping.live);
        live.map(|(at, mapping)| (at as u64 + 1, self.mapped_size(mapping))).collect()
    }

    /// Ends the transaction: what is persistent stays.
    pub(crate) fn finish(&mut self) {
        self.checkpoints.clear();
        let state = std::mem::take(&mut self.state);
        self.state.frames = vec![Frame::default()];
        self.state.generations = state.generations;
        self.state.regions =
            state.regions.into_iter().filter(|region| region.kind == 0 && region.alive).collect();
        for region in &mut self.state.regions {
            region.warm.clear();
            region.written.clear();
        }
    }

    /// What a world holds in which the transaction has ended.
    pub(crate) fn content(&self) -> (BTreeMap<RegionId, Meta>, BTreeMap<PageKey, Vec<u8>>) {
        let mut pages = BTreeMap::new();
        let mut meta = BTreeMap::new();
        for (id, generation) in &self.state.generations {
            let id = handle(*id, 0).id();
            meta.insert(id, Meta { generation: *generation, live: None });
        }
        for region in &self.state.regions {
            let birth = Birth {
                owner: region.owner,
                name: Some(Name::from_bytes(region.name).unwrap()),
                ceiling: bits(region.ceiling),
                options: RegionOptions::from_operand(gas(region.options)).unwrap(),
            };
            let live = Live {
                birth: Arc::new(birth),
                size: region.bytes.len() as u64,
                grants: region.grants.iter().map(|(who, what)| (*who, bits(*what))).collect(),
            };
            meta.get_mut(&region.handle.id()).unwrap().live = Some(live);
            for page in &region.present {
                let mut bytes: Vec<u8> =
                    region.bytes.iter().skip((page * PAGE) as usize).take(4096).copied().collect();
                bytes.resize(4096, 0);
                let generation = region.handle.generation();
                let page = PageNumber(*page);
                pages.insert(PageKey { region: region.handle.id(), generation, page }, bytes);
            }
        }
        (meta, pages)
    }

    /// Does an operation, or nothing at all.
    pub(crate) fn ask(
        &mut self,
        call: &Call,
        operation: &Operation,
        bytes: &[u8],
    ) -> Result<Done, Fault> {
        let before = self.state.clone();
        let mut bill = Bill { spent: 0, limit: call.gas };
        let result = self.operate(&mut bill, call, operation, bytes);
        if result.is_err() {
            self.state = before;
        }
        let (output, bytes) = result?;
        Ok(Done { gas: bill.spent, output, bytes })
    }

    fn operate(
        &mut self,
        bill: &mut Bill,
        call: &Call,
        operation: &Operation,
        bytes: &[u8],
    ) -> Result<(Output, Vec<u8>), Fault> {
        use Operation as Op;
        bill.pay(gas(match operation {
            Op::Free { .. }
            | Op::Unmap { .. }
            | Op::Read { .. }
            | Op::ReadPadded { .. }
            | Op::Info { .. } => 50,
            Op::Alloc { .. }
            | Op::Write { .. }
            | Op::Open { .. }
            | Op::Copy { .. }
            | Op::Grow { .. }
            | Op::Publish { .. }
            | Op::Exec { .. } => 100,
            Op::Map { .. } | Op::Create { .. } | Op::Grant { .. } | Op::Destroy { .. } => 200,
        }))?;
        let output = match *operation {
            Op::Alloc { size, class } => self.alloc(bill, call, size, class)?,
            Op::Free { handle } => self.free(bill, call, handle)?,
            Op::Create { name, size, permissions, options } => {
                self.create(bill, call, name, size, permissions, options)?
            }
            Op::Open { owner, name } => self.open(bill, owner, name)?,
            Op::Map { handle, options, offset, size } => {
                self.map(bill, call, handle, options, offset, size)?
            }
            Op::Unmap { mapping } => {
                let at = self.mapping(bill, call, mapping)?;
                self.state.frames[call.frame].mappings[at].live = false;
                Output::Done
            }
            Op::Publish { mapping } => self.publish(bill, call, mapping)?,
            Op::Read { mapping, offset, len } => {
                return self.read(bill, call, mapping, offset, len, false);
            }
            Op::ReadPadded { mapping, offset, len } => {
                return self.read(bill, call, mapping, offset, len, true);
            }
            Op::Write { mapping, offset, len } => {
                self.not_static(bill, call)?;
                let at = self.writable(bill, call, mapping)?;
                if len.is_zero() {
                    return Ok((Output::Bytes(0), Vec::new()));
                }
                let (offset, count, grown) = self.target(bill, call, at, offset, len)?;
                bill.pay(data(len))?;
                let range = (offset, count);
                self.change(bill, call, at, grown, &[range], range, &bytes[..count as usize])?;
                Output::Bytes(count)
            }
            Op::Copy { mapping, destination, source, len } => {
                self.copy(bill, call, mapping, destination, source, len)?
            }
            Op::Grow { handle, size } => self.grow(bill, call, handle, size)?,
            Op::Grant { handle, address, permissions } => {
                self.grant(bill, call, handle, address, permissions)?
            }
            Op::Destroy { handle } => {
                self.not_static(bill, call)?;
                let region = self.owned(bill, call, handle)?;
                let mappings = self.count_mappings(region);
                if mappings > 0 {
                    return bill.fail(ChangeError::RegionInUse { mappings });
                }
                self.end(region);
                Output::Done
            }
            Op::Info { handle } => {
                let region = self.look_up(bill, handle, ChangeError::Lookup)?;
                let permissions = self.rights(region, call.actor);
                Output::Info { size: self.size(region), permissions }
            }
            Op::Exec { handle, offset, len, limit } => {
                return self.exec(bill, call, handle, offset, len, limit);
            }
        };
        Ok((output, Vec::new()))
    }

    fn not_static(&self, bill: &Bill, call: &Call) -> Result<(), Fault> {
        if call.is_static { Err(Fault::Static { gas: bill.spent }) } else { Ok(()) }
    }

    fn warm_up(&mut self, bill: &mut Bill, id: [u8; 24]) -> Result<(), Fault> {
        if self.state.warm.insert(id) { bill.pay(gas(2600)) } else { Ok(()) }
    }

    fn size(&self, region: usize) -> u64 {
        self.state.regions[region].bytes.len() as u64
    }

    fn look_up<E: Into<RegionError>>(
        &mut self,
        bill: &mut Bill,
        handle: Handle,
        error: impl Fn(LookupError) -> E,
    ) -> Result<usize, Fault> {
        self.warm_up(bill, id_of(handle))?;
        let known = self.state.regions.iter().position(|region| region.handle == handle);
        if let Some(region) = known.filter(|region| self.state.regions[*region].alive) {
            return Ok(region);
        }
        let created = self.state.generations.get(&id_of(handle)).copied().unwrap_or(0);
        if known.is_some() || (1..=created).contains(&handle.generation()) {
            bill.fail(error(LookupError::StaleHandle { handle }))
        } else {
            bill.fail(error(LookupError::InvalidHandle { handle }))
        }
    }

    fn rights(&self, region: usize, actor: Address) -> u8 {
        let region = &self.state.regions[region];
        match self.config.security_level {
            _ if region.kind == 2 => READ,
            SecurityLevel::None => 7,
            SecurityLevel::Basic => region.ceiling,
            _ if region.owner == actor => region.ceiling,
            _ => region.grants.get(&actor).copied().unwrap_or(0) & region.ceiling,
        }
    }

    fn is_owner(&self, region: usize, actor: Address) -> bool {
        let region = &self.state.regions[region];
        let open = matches!(self.config.security_level, SecurityLevel::None | SecurityLevel::Basic);
        region.kind != 2 && (open || region.owner == actor)
    }

    fn owned(&mut self, bill: &mut Bill, call: &Call, handle: Handle) -> Result<usize, Fault> {
        let region = self.look_up(bill, handle, ChangeError::Lookup)?;
        if self.is_owner(region, call.actor) {
            Ok(region)
        } else {
            bill.fail(ChangeError::NotOwner { actor: call.actor })
        }
    }

    fn count_mappings(&self, region: usize) -> u32 {
        let mappings = self.state.frames.iter().flat_map(|frame| &frame.mappings);
        mappings.filter(|mapping| mapping.live && mapping.region == region).count() as u32
    }

    fn end(&mut self, region: usize) {
        let region = &mut self.state.regions[region];
        region.alive = false;
        if let Some(class) = region.class {
            self.state.blocks[class] -= 1;
        }
    }

    /// What more words of page memory cost.
    fn add_words(&mut self, bill: &mut Bill, more: u64) -> Result<(), Fault> {
        let before = self.state.words;
        self.state.words += more;
        bill.pay(gas(memory(before + more) - memory(before)))
    }

    fn own(&mut self, owner: Address, name: [u8; 32], size: u64) -> Region {
        self.state.ordinal += 1;
        Region {
            handle: handle(region_id(1, owner, name), self.state.ordinal),
            kind: 1,
            owner,
            name,
            ceiling: 7,
            options: 0,
            bytes: vec![0; size as usize],
            present: BTreeSet::new(),
            grants: BTreeMap::new(),
            class: None,
            alive: true,
            warm: BTreeSet::new(),
            written: BTreeSet::new(),
        }
    }

    fn alloc(
        &mut self,
        bill: &mut Bill,
        call: &Call,
        size: U256,
        number: U256,
    ) -> Result<Output, Fault> {
        if size.is_zero() {
            return bill.fail(AllocError::ZeroSize);
        }
        if number > gas(4) {
            return bill.fail(AllocError::InvalidOption { option: number });
        }
        self.not_static(bill, call)?;
        let number: usize = number.to();
        let max = CLASSES[number.min(3)].1;
        if size > gas(max) {
            return bill.fail(AllocError::RegionTooLarge { size, max });
        }
        let fits = CLASSES.iter().position(|(_, bytes)| size <= gas(*bytes)).unwrap();
        let at = if number == 4 { fits } else { number };
        let (class, bytes) = CLASSES[at];
        if self.state.blocks[at] >= self.config.pool_blocks[at] {
            return bill.fail(AllocError::PoolExhausted { class });
        }
        self.add_words(bill, bytes / 32)?;
        self.state.blocks[at] += 1;
        let region = Region { class: Some(at), ..self.own(call.actor, [0; 32], size.to()) };
        let handle = region.handle;
        self.state.warm.insert(id_of(handle));
        self.state.regions.push(region);
        Ok(Output::Handle(Some(handle)))
    }

    fn free(&mut self, bill: &mut Bill, call: &Call, handle: Handle) -> Result<Output, Fault> {
        self.not_static(bill, call)?;
        let region = self.look_up(bill, handle, AllocError::Lookup)?;
        if self.state.regions[region].class.is_none() {
            return bill.fail(AllocError::Lookup(LookupError::InvalidHandle { handle }));
        }
        if !self.is_owner(region, call.actor) {
            return bill.fail(AllocError::NotOwner { actor: call.actor });
        }
        let mappings = self.count_mappings(region);
        if mappings > 0 {
            return bill.fail(AllocError::RegionInUse { mappings });
        }
        self.end(region);
        Ok(Output::Done)
    }

    fn create(
        &mut self,
        bill: &mut Bill,
        call: &Call,
        name: [u8; 32],
        size: U256,
        permissions: U256,
        options: U256,
    ) -> Result<Output, Fault> {
        if name == [0; 32] {
            return bill.fail(CreateError::NameInvalid);
        }
        if size.is_zero() {
            return bill.fail(CreateError::ZeroSize);
        }
        if permissions > gas(7) {
            return bill.fail(CreateError::InvalidOption { option: permissions });
        }
        let copy_on_write = options.bit(0) && !self.config.enable_copy_on_write;
        if options > gas(31) || copy_on_write || (options.bit(3) && options.bit(4)) {
            return bill.fail(CreateError::InvalidOption { option: options });
        }
        self.not_static(bill, call)?;
        let owner = call.actor;
        let id = region_id(0, owner, name);
        self.warm_up(bill, id)?;
        let persistent = options.bit(2);
        let kind = if persistent { 0 } else { 1 };
        let same = self.state.regions.iter().find(|region| {
            region.alive
                && region.class.is_none()
                && (region.kind, region.owner, region.name) == (kind, owner, name)
        });
        if let Some(same) = same {
            return bill.fail(CreateError::RegionExists { handle: same.handle });
        }
        let max = self.config.max_region_size;
        if size > gas(max) {
            return bill.fail(CreateError::RegionTooLarge { size, max });
        }
        let max = self.config.max_shared_regions;
        if self.state.created >= max {
            return bill.fail(CreateError::TooManyRegions { max });
        }
        self.state.created += 1;
        let ordinal = self.state.ordinal;
        let mut region = self.own(owner, name, size.to());
        region.ceiling = permissions.to();
        region.options = options.to();
        if persistent {
            bill.pay(gas(32_000))?;
            self.state.ordinal = ordinal;
            let generation = self.state.generations.entry(id).or_default();
            *generation += 1;
            region.kind = 0;
            region.handle = handle(id, *generation);
        }
        let handle = region.handle;
        self.state.warm.insert(id_of(handle));
        self.state.regions.push(region);
        Ok(Output::Handle(Some(handle)))
    }

    fn open(&mut self, bill: &mut Bill, owner: U256, name: [u8; 32]) -> Result<Output, Fault> {
        if owner >> 160 != U256::ZERO || name == [0; 32] {
            bill.pay(gas(2600))?;
            return Ok(Output::Handle(None));
        }
        let owner = Address(owner.to_be_bytes::<32>()[12..].try_into().unwrap());
        self.warm_up(bill, region_id(0, owner, name))?;
        let find = |kind: u8| {
            let mut regions = self.state.regions.iter();
            regions.find(|region| {
                region.alive
                    && region.class.is_none()
                    && (region.kind, region.owner, region.name) == (kind, owner, name)
            })
        };
        Ok(Output::Handle(find(1).or_else(|| find(0)).map(|region| region.handle)))
    }

    fn map(
        &mut self,
        bill: &mut Bill,
        call: &Call,
        handle: Handle,
        options: U256,
        offset: U256,
        size: U256,
    ) -> Result<Output, Fault> {
        let copy = options.bit(0);
        let read_only = options.bit(1);
        if options > gas(15) || (copy && !self.config.enable_copy_on_write) {
            return bill.fail(MapError::InvalidOption { option: options });
        }
        if !read_only {
            self.not_static(bill, call)?;
        }
        let region = self.look_up(bill, handle, MapError::Lookup)?;
        if self.state.regions[region].options & 1 != 0 && !copy {
            return bill.fail(MapError::InvalidOption { option: options });
        }
        let actor = call.actor;
        let rights = self.rights(region, actor);
        let needed = if read_only || copy { READ } else { READ | WRITE } & !rights;
        if needed != 0 {
            return bill.fail(MapError::PermissionDenied { actor, needed: bits(needed) });
        }
        let all = self.size(region);
        let frame = &self.state.frames[call.frame];
        let same = frame.mappings.iter().position(|mapping| {
            mapping.live
                && mapping.region == region
                && gas(mapping.options) == options
                && gas(mapping.start) == offset
                && mapping.window.map_or(U256::ZERO, gas) == size
        });
        if let Some(at) = same {
            return bill.fail(MapError::AlreadyMapped { mapping: at as u64 + 1 });
        }
        let end = offset.checked_add(size);
        if offset >= gas(all) || end.is_none_or(|end| end > gas(all)) {
            return bill.fail(MapError::OutOfBounds { offset, len: size, size: all });
        }
        let bytes = &self.state.regions[region].bytes;
        let snapshot = copy.then(|| Snapshot {
            bytes: bytes.clone(),
            changed: vec![false; bytes.len()],
            copied: BTreeSet::new(),
        });
        let mappings = &mut self.state.frames[call.frame].mappings;
        mappings.push(Mapping {
            region,
            options: options.to(),
            rights,
            start: offset.to(),
            window: (!size.is_zero()).then(|| size.to()),
            snapshot,
            live: true,
        });
        Ok(Output::Mapping(mappings.len() as u64))
    }

    fn mapping(&self, bill: &Bill, call: &Call, mapping: U256) -> Result<usize, Fault> {
        let mappings = &self.state.frames[call.frame].mappings;
        let found = (1..=mappings.len()).find(|ordinal| U256::from(*ordinal) == mapping);
        match found.filter(|ordinal| mappings[ordinal - 1].live) {
            Some(ordinal) => Ok(ordinal - 1),
            None => bill.fail(AccessError::NotMapped { mapping }),
        }
    }

    fn mapped_size(&self, mapping: &Mapping) -> u64 {
        let whole = mapping.snapshot.as_ref().map(|snapshot| snapshot.bytes.len() as u64);
        let whole = whole.unwrap_or_else(|| self.size(mapping.region));
        mapping.window.unwrap_or(whole - mapping.start)
    }

    fn writable(&self, bill: &Bill, call: &Call, mapping: U256) -> Result<usize, Fault> {
        let at = self.mapping(bill, call, mapping)?;
        if self.state.frames[call.frame].mappings[at].options & 2 != 0 {
            let (actor, needed) = (call.actor, Permissions::WRITE);
            return bill.fail(AccessError::PermissionDenied { actor, needed });
        }
        Ok(at)
    }

    /// First byte in the region, number of bytes, and what the region grows to.
    fn target(
        &self,
        bill: &Bill,
        call: &Call,
        at: usize,
        offset: U256,
        len: U256,
    ) -> Result<(u64, u64, Option<u64>), Fault> {
        let mapping = &self.state.frames[call.frame].mappings[at];
        let region = &self.state.regions[mapping.region];
        let size = self.mapped_size(mapping);
        let open = mapping.window.is_none() && mapping.snapshot.is_none();
        if open && region.options & 2 != 0 {
            let end = offset.checked_add(len).and_then(|end| end.checked_add(gas(mapping.start)));
            let end = end.unwrap_or(U256::MAX);
            let max = self.limit(mapping.region);
            if end > gas(max) {
                return bill.fail(AccessError::RegionTooLarge { size: end, max });
            }
            let grown = (end > gas(region.bytes.len() as u64)).then(|| end.to());
            return Ok((mapping.start + offset.to::<u64>(), len.to(), grown));
        }
        if offset >= gas(size) {
            return bill.fail(AccessError::OutOfBounds { offset, len, size });
        }
        let count = len.min(gas(size) - offset).to();
        Ok((mapping.start + offset.to::<u64>(), count, None))
    }

    fn limit(&self, region: usize) -> u64 {
        let class = self.state.regions[region].class;
        class.map_or(self.config.max_region_size, |class| CLASSES[class].1)
    }

    /// Pages are touched once in a transaction.
    fn touch(
        &mut self,
        bill: &mut Bill,
        region: usize,
        ranges: &[(u64, u64)],
    ) -> Result<(), Fault> {
        let region = &mut self.state.regions[region];
        for page in ranges.iter().flat_map(|(offset, len)| pages(*offset, *len)) {
            if region.warm.insert(page) {
                bill.pay(gas(if region.kind == 1 { 100 } else { 2100 }))?;
            }
        }
        Ok(())
    }

    /// What it costs to write to pages of a region, which are present then.
    fn dirty(
        &mut self,
        bill: &mut Bill,
        call: &Call,
        at: usize,
        numbers: impl Iterator<Item = u64>,
    ) -> Result<(), Fault> {
        let number = at;
        let mut more = 0;
        for page in numbers {
            let region = &mut self.state.regions[number];
            let persistent = region.kind == 0;
            let first = region.written.insert(page);
            let frame_first = self.state.frames[call.frame].written.insert((number, page));
            if region.present.insert(page) {
                more += 128;
                if persistent {
                    bill.pay(gas(819_200))?;
                }
            } else {
                if frame_first {
                    more += 128;
                }
                if persistent && first {
                    bill.pay(gas(2_900))?;
                }
            }
        }
        if self.state.regions[number].class.is_some() {
            more = 0;
        }
        self.add_words(bill, more)
    }

    /// Touches ranges of a mapping, and writes one.
    #[expect(clippy::too_many_arguments, reason = "each is a word of the specification's sentence")]
    fn change(
        &mut self,
        bill: &mut Bill,
        call: &Call,
        at: usize,
        grown: Option<u64>,
        touched: &[(u64, u64)],
        (offset, count): (u64, u64),
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let region = self.state.frames[call.frame].mappings[at].region;
        self.touch(bill, region, touched)?;
        if let Some(size) = grown {
            self.state.regions[region].bytes.resize(size as usize, 0);
        }
        let range = offset as usize..(offset + count) as usize;
        let is_block = self.state.regions[region].class.is_some();
        match &mut self.state.frames[call.frame].mappings[at].snapshot {
            Some(snapshot) => {
                snapshot.bytes[range.clone()].copy_from_slice(bytes);
                snapshot.changed[range].fill(true);
                let copied = pages(offset, count).filter(|page| snapshot.copied.insert(*page));
                let words = 128 * copied.count() as u64;
                self.add_words(bill, if is_block { 0 } else { words })
            }
            None => {
                self.state.regions[region].bytes[range].copy_from_slice(bytes);
                self.dirty(bill, call, region, pages(offset, count))
            }
        }
    }

    fn shown(&self, call: &Call, at: usize) -> &[u8] {
        let mapping = &self.state.frames[call.frame].mappings[at];
        let snapshot = mapping.snapshot.as_ref();
        snapshot.map_or(&self.state.regions[mapping.region].bytes, |snapshot| &snapshot.bytes)
    }

    fn read(
        &mut self,
        bill: &mut Bill,
        call: &Call,
        mapping: U256,
        offset: U256,
        len: U256,
        padded: bool,
    ) -> Result<(Output, Vec<u8>), Fault> {
        let at = self.mapping(bill, call, mapping)?;
        if len.is_zero() {
            return Ok((Output::Bytes(0), Vec::new()));
        }
        let mapping = &self.state.frames[call.frame].mappings[at];
        let size = self.mapped_size(mapping);
        if offset >= gas(size) && !padded {
            return bill.fail(AccessError::OutOfBounds { offset, len, size });
        }
        let count: u64 = len.min(gas(size).saturating_sub(offset)).to();
        let from = mapping.start + if count == 0 { 0 } else { offset.to::<u64>() };
        let region = mapping.region;
        bill.pay(data(len))?;
        self.touch(bill, region, &[(from, count)])?;
        let range = from as usize..(from + count) as usize;
        let mut bytes = self.shown(call, at)[range].to_vec();
        if padded {
            bytes.resize(len.to(), 0);
        }
        Ok((Output::Bytes(count), bytes))
    }

    fn copy(
        &mut self,
        bill: &mut Bill,
        call: &Call,
        mapping: U256,
        destination: U256,
        source: U256,
        len: U256,
    ) -> Result<Output, Fault> {
        self.not_static(bill, call)?;
        let at = self.writable(bill, call, mapping)?;
        if len.is_zero() {
            return Ok(Output::Done);
        }
        let mapping = &self.state.frames[call.frame].mappings[at];
        let (size, start) = (self.mapped_size(mapping), mapping.start);
        if source.checked_add(len).is_none_or(|end| end > gas(size)) {
            return bill.fail(AccessError::OutOfBounds { offset: source, len, size });
        }
        let (to, count, grown) = self.target(bill, call, at, destination, len)?;
        if gas(count) < len {
            return bill.fail(AccessError::OutOfBounds { offset: destination, len, size });
        }
        bill.pay(data(len))?;
        let from = start + source.to::<u64>();
        let bytes = self.shown(call, at)[from as usize..(from + count) as usize].to_vec();
        self.change(bill, call, at, grown, &[(from, count), (to, count)], (to, count), &bytes)?;
        Ok(Output::Done)
    }

    fn publish(&mut self, bill: &mut Bill, call: &Call, mapping: U256) -> Result<Output, Fault> {
        self.not_static(bill, call)?;
        let at = self.mapping(bill, call, mapping)?;
        let mapped = &self.state.frames[call.frame].mappings[at];
        let Some(snapshot) = mapped.snapshot.clone() else {
            return bill.fail(AccessError::InvalidOption { mapping });
        };
        if mapped.rights & WRITE == 0 {
            let (actor, needed) = (call.actor, Permissions::WRITE);
            return bill.fail(AccessError::PermissionDenied { actor, needed });
        }
        let region = mapped.region;
        let changed: Vec<u64> =
            (0..).zip(&snapshot.changed).filter(|(_, is)| **is).map(|(byte, _)| byte).collect();
        let words: BTreeSet<u64> = changed.iter().map(|byte| byte / 32).collect();
        let numbers: BTreeSet<u64> = changed.iter().map(|byte| byte / PAGE).collect();
        bill.pay(gas(3 * words.len() as u64))?;
        for page in &numbers {
            self.touch(bill, region, &[(page * PAGE, 1)])?;
        }
        self.dirty(bill, call, region, numbers.into_iter())?;
        for byte in changed {
            self.state.regions[region].bytes[byte as usize] = snapshot.bytes[byte as usize];
        }
        if let Some(snapshot) = &mut self.state.frames[call.frame].mappings[at].snapshot {
            snapshot.changed.fill(false);
        }
        Ok(Output::Done)
    }

    fn grow(
        &mut self,
        bill: &mut Bill,
        call: &Call,
        handle: Handle,
        size: U256,
    ) -> Result<Output, Fault> {
        self.not_static(bill, call)?;
        let region = self.look_up(bill, handle, ChangeError::Lookup)?;
        if self.rights(region, call.actor) & WRITE == 0 {
            let (actor, needed) = (call.actor, Permissions::WRITE);
            return bill.fail(ChangeError::PermissionDenied { actor, needed });
        }
        let (current, max) = (self.size(region), self.limit(region));
        if size < gas(current) {
            return bill.fail(ChangeError::Shrink { size, current });
        }
        if size > gas(max) {
            return bill.fail(ChangeError::RegionTooLarge { size, max });
        }
        self.state.regions[region].bytes.resize(size.to(), 0);
        Ok(Output::Done)
    }

    fn grant(
        &mut self,
        bill: &mut Bill,
        call: &Call,
        handle: Handle,
        to: U256,
        permissions: U256,
    ) -> Result<Output, Fault> {
        if to >> 160 != U256::ZERO {
            return bill.fail(ChangeError::InvalidOption { option: to });
        }
        if permissions > gas(7) {
            return bill.fail(ChangeError::InvalidOption { option: permissions });
        }
        self.not_static(bill, call)?;
        let region = self.owned(bill, call, handle)?;
        let to = Address(to.to_be_bytes::<32>()[12..].try_into().unwrap());
        let region = &mut self.state.regions[region];
        let before = region.grants.remove(&to);
        if !permissions.is_zero() {
            region.grants.insert(to, permissions.to());
            if before.is_none() && region.kind == 0 {
                bill.pay(gas(20_000))?;
            }
        }
        Ok(Output::Done)
    }

    fn exec(
        &mut self,
        bill: &mut Bill,
        call: &Call,
        handle: Handle,
        offset: U256,
        len: U256,
        limit: u64,
    ) -> Result<(Output, Vec<u8>), Fault> {
        let region = self.look_up(bill, handle, ExecError::Lookup)?;
        if self.rights(region, call.actor) & EXECUTE == 0 {
            let (actor, needed) = (call.actor, Permissions::EXECUTE);
            return bill.fail(ExecError::PermissionDenied { actor, needed });
        }
        if len.is_zero() {
            return Ok((Output::Bytes(0), Vec::new()));
        }
        let size = self.size(region);
        if offset.checked_add(len).is_none_or(|end| end > gas(size)) {
            return bill.fail(ExecError::OutOfBounds { offset, len, size });
        }
        if len > gas(limit) {
            return bill.fail(ExecError::RegionTooLarge { size: len, max: limit });
        }
        let (from, count): (u64, u64) = (offset.to(), len.to());
        bill.pay(data(len) + gas(8 * count.div_ceil(32)))?;
        self.touch(bill, region, &[(from, count)])?;
        let bytes = &self.state.regions[region].bytes;
        let code = bytes[from as usize..(from + count) as usize].to_vec();
        Ok((Output::Bytes(count), code))
    }
}
