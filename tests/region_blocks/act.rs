//! A program as a closure that logs all it is told.

use std::sync::Arc;

use chorus::{
    native::{SharedError, Transaction, View},
    region::{
        Address, Handle, MapOptions, Name, Operation, Output, Permissions, RegionOptions,
        handle::{Kind, RegionId},
        page::{PAGE_BYTES, Page},
        sidecar::Sidecar,
    },
};
use ruint::aliases::U256;

use crate::{
    program::{Op, Program},
    turn,
};

/// What a program was told, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Nothing,
    Handle(Option<Handle>),
    Number(u64),
    Bytes(Vec<u8>),
    Info(u64, u8),
    Value(Option<u8>),
    Refused,
    Error(SharedError),
}

pub(crate) type Log = Vec<Told>;
pub(crate) type Tx = Transaction<u8, u8, Log, Log>;

/// A program ends at once, or a frame.
struct Failure;

impl From<SharedError> for Failure {
    fn from(_: SharedError) -> Self {
        Self
    }
}

/// What a program remembers. `acc` depends on everything it was told.
#[derive(Default)]
struct Memory {
    log: Log,
    acc: u32,
    handles: Vec<Handle>,
    /// Mappings of the frame, ended ones included.
    mappings: Vec<u64>,
}

impl Memory {
    fn tell(&mut self, told: Told) {
        let mut mix = |byte: u8| self.acc = self.acc.wrapping_mul(31).wrapping_add(u32::from(byte));
        match &told {
            Told::Bytes(bytes) => bytes.iter().take(40).copied().for_each(&mut mix),
            Told::Number(number) => mix(*number as u8),
            Told::Handle(handle) => mix(handle.map_or(1, |handle| handle.0[31] ^ handle.0[3])),
            Told::Info(size, permissions) => mix(*size as u8 ^ permissions),
            Told::Value(value) => mix(value.map_or(3, |value| value ^ 0x55)),
            Told::Refused => mix(7),
            Told::Error(_) => mix(11),
            Told::Nothing => mix(13),
        }
        self.log.push(told);
    }

    fn result(&mut self, result: Result<Told, SharedError>) {
        self.tell(result.unwrap_or_else(Told::Error));
    }

    /// Unless there is none: the handle of no region, for which there are errors as well.
    fn handle(&self, place: u8) -> Handle {
        let count = self.handles.len().max(1);
        self.handles.get(usize::from(place) % count).copied().unwrap_or_default()
    }

    /// The same for mappings.
    fn mapping(&self, place: u8) -> u64 {
        let count = self.mappings.len().max(1);
        self.mappings.get(usize::from(place) % count).copied().unwrap_or_default()
    }

    fn data(&self, len: u16) -> Vec<u8> {
        (0..len).map(|at| (self.acc >> 5) as u8 ^ (at * 7) as u8).collect()
    }
}

/// Options that the API's types cannot express as such: any combination of defined bits.
fn options(bits: u8) -> MapOptions {
    MapOptions::from_operand(U256::from(bits)).unwrap()
}

pub(crate) fn owner(number: u8) -> Address {
    Address::from_number(u64::from(number) + 1)
}

pub(crate) fn name(number: u8) -> Name {
    Name::new(["ledger", "queue"][usize::from(number)]).unwrap()
}

async fn create(
    view: &View<u8, u8>,
    number: u8,
    size: u64,
    permissions: u8,
    bits: u8,
) -> Result<Handle, SharedError> {
    let permissions = Permissions::from_operand(U256::from(permissions)).unwrap();
    let options = RegionOptions::from_operand(U256::from(bits)).unwrap();
    view.regions().create(name(number), size, permissions, options).await
}

fn number(bytes: usize) -> Told {
    Told::Number(bytes as u64)
}

/// Operations on regions as a whole.
async fn on_region(op: &Op, view: &View<u8, u8>, memory: &mut Memory) -> Result<Told, SharedError> {
    let regions = view.regions();
    Ok(match op {
        Op::Create { name, size, permissions, options } => {
            let handle = create(view, *name, *size, *permissions, *options).await?;
            memory.handles.push(handle);
            Told::Handle(Some(handle))
        }
        Op::Open { owner: of, name: called } => {
            let handle = regions.open(owner(*of), name(*called)).await?;
            memory.handles.extend(handle);
            Told::Handle(handle)
        }
        Op::Visit { owner: of, name: called, options: bits } => {
            let Some(handle) = regions.open(owner(*of), name(*called)).await? else {
                return Ok(Told::Handle(None));
            };
            memory.handles.push(handle);
            let mapping = regions.map(handle, options(*bits)).await?;
            memory.mappings.push(mapping);
            Told::Number(mapping)
        }
        Op::Guess { owner: of, name: called, generation } => {
            let id = RegionId::of(Kind::Persistent, owner(*of), Some(name(*called)));
            memory.handles.push(id.at(*generation));
            Told::Nothing
        }
        Op::Sidecar(which) => {
            memory.handles.push(sidecar(*which).handle());
            Told::Nothing
        }
        Op::Alloc(size) => {
            let handle = regions.alloc(*size).await?;
            memory.handles.push(handle);
            Told::Handle(Some(handle))
        }
        Op::Free(place) => {
            regions.free(memory.handle(*place)).await?;
            Told::Nothing
        }
        Op::Map { handle, options: bits, offset, size } => {
            let handle = memory.handle(*handle);
            let mapping = regions.map_window(handle, options(*bits), *offset, *size).await?;
            memory.mappings.push(mapping);
            Told::Number(mapping)
        }
        Op::Grow { handle, size } => {
            regions.grow(memory.handle(*handle), *size).await?;
            Told::Nothing
        }
        Op::Grant { handle, to, permissions } => {
            // As a word, the way a contract would.
            let operation = Operation::Grant {
                handle: memory.handle(*handle),
                address: U256::from_be_slice(&owner(*to).0),
                permissions: U256::from(*permissions),
            };
            assert_eq!(regions.perform(operation).await?, Output::Done);
            Told::Nothing
        }
        Op::Destroy(place) => {
            regions.destroy(memory.handle(*place)).await?;
            Told::Nothing
        }
        Op::Info(place) => {
            let (size, permissions) = regions.info(memory.handle(*place)).await?;
            Told::Info(size, permissions.bits())
        }
        _ => unreachable!("{op:?} is another kind of step"),
    })
}

/// Operations on bytes.
async fn on_bytes(op: &Op, view: &View<u8, u8>, memory: &mut Memory) -> Result<Told, SharedError> {
    let regions = view.regions();
    Ok(match op {
        Op::Unmap(place) => {
            regions.unmap(memory.mapping(*place)).await?;
            Told::Nothing
        }
        Op::Publish(place) => {
            regions.publish(memory.mapping(*place)).await?;
            Told::Nothing
        }
        Op::Read { mapping: place, offset, len } => {
            let mut bytes = vec![0xee; usize::from(*len)];
            let read = regions.read(memory.mapping(*place), *offset, &mut bytes).await?;
            // Nothing beyond what was read is touched.
            assert!(bytes[read..].iter().all(|byte| *byte == 0xee));
            bytes.truncate(read);
            Told::Bytes(bytes)
        }
        Op::ReadPadded { mapping: place, offset, len } => {
            let mut bytes = vec![0xee; usize::from(*len)];
            regions.read_padded(memory.mapping(*place), *offset, &mut bytes).await?;
            Told::Bytes(bytes)
        }
        Op::Follow(place) => {
            let mut byte = [0];
            regions.read(memory.mapping(*place), 0, &mut byte).await?;
            let offset = u64::from(byte[0]) * 20;
            number(regions.write(memory.mapping(*place), offset, &memory.data(32)).await?)
        }
        Op::Write { mapping: place, offset, len } => {
            let data = memory.data(*len);
            number(regions.write(memory.mapping(*place), *offset, &data).await?)
        }
        Op::Count { mapping: place, offset } => {
            let mut word = [0; 8];
            regions.read_padded(memory.mapping(*place), *offset, &mut word).await?;
            let sum = u64::from_le_bytes(word).wrapping_add(1);
            regions.write(memory.mapping(*place), *offset, &sum.to_le_bytes()).await?;
            Told::Number(sum)
        }
        Op::Copy { mapping: place, to, from, len } => {
            regions.copy(memory.mapping(*place), *to, *from, u64::from(*len)).await?;
            Told::Nothing
        }
        Op::ReadPages { mapping: place, offset, count } => {
            let pages =
                regions.read_pages(memory.mapping(*place), *offset, usize::from(*count)).await?;
            Told::Bytes(pages.iter().flat_map(|page| *page.bytes()).collect())
        }
        Op::WritePages { mapping: place, offset, count } => {
            let mut bytes = [0; PAGE_BYTES];
            bytes[..40].copy_from_slice(&memory.data(40));
            let pages: Vec<_> = (0..*count).map(|_| Page::from_bytes(&bytes)).collect();
            number(regions.write_pages(memory.mapping(*place), *offset, &pages).await?)
        }
        _ => return on_region(op, view, memory).await,
    })
}

async fn nested(
    is_static: bool,
    actor: u8,
    fails: bool,
    ops: &[Op],
    view: &View<u8, u8>,
    memory: &mut Memory,
) {
    let outer = std::mem::take(&mut memory.mappings);
    let inner = &mut *memory;
    let body = async move || match run(ops, view, inner).await {
        Ok(()) if fails => Err(Failure),
        ended => ended,
    };
    let regions = view.regions();
    let ended = match is_static {
        true => regions.call_static(owner(actor), body).await,
        false => regions.call(owner(actor), body).await,
    };
    memory.mappings = outer;
    memory.tell(ended.map_or(Told::Refused, |()| Told::Nothing));
}

async fn run(ops: &[Op], view: &View<u8, u8>, memory: &mut Memory) -> Result<(), Failure> {
    for op in ops {
        match op {
            Op::Call { actor, is_static, fails, ops } => {
                Box::pin(nested(*is_static, *actor, *fails, ops, view, memory)).await;
            }
            Op::Checkpoint { keep, ops } => {
                let checkpoint = view.regions().checkpoint()?;
                // One that is dropped in an unwinding error is taken back.
                Box::pin(run(ops, view, memory)).await?;
                if *keep {
                    checkpoint.commit();
                } else {
                    checkpoint.revert();
                }
            }
            Op::Get(key) => {
                let value = view.get(key).await;
                memory.tell(Told::Value(value));
            }
            Op::Put(key) => view.put(key, memory.acc as u8),
            Op::Credit(key, amount) => {
                let refused = view.credit(key, u128::from(*amount)).await.is_err();
                memory.tell(if refused { Told::Refused } else { Told::Nothing });
            }
            Op::Pause => turn::elsewhere().await,
            Op::FailIfDivisible(by) if memory.acc.is_multiple_of(*by) => return Err(Failure),
            Op::FailIfDivisible(_) => {}
            op => {
                let told = on_bytes(op, view, memory).await;
                memory.result(told);
            }
        }
    }
    Ok(())
}

/// Data that transactions have attached.
pub(crate) fn sidecar(which: u8) -> Arc<Sidecar> {
    Sidecar::new(&vec![which + 1; 3_000 * (usize::from(which) + 1)]).unwrap()
}

pub(crate) fn transaction(program: &Program) -> Tx {
    let ops = program.ops.clone();
    let attached = (0..8).filter(|bit| program.sidecars & 1 << bit != 0).map(sidecar);
    Tx::new(async move |view| {
        let mut memory = Memory { log: Log::new(), acc: view.index() as u32, ..Memory::default() };
        match run(&ops, &view, &mut memory).await {
            Ok(()) => Ok(memory.log),
            Err(Failure) => Err(memory.log),
        }
    })
    .acting_as(owner(program.actor))
    .with_sidecars(attached)
}
