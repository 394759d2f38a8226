//! A message of a mebibyte from one closure to another, without copying a byte of it.
//!
//! ```sh
//! cargo run --release --no-default-features --example message
//! ```

// What is about the library itself, not its users.
#![allow(clippy::disallowed_types)]

use std::{collections::HashMap, error::Error, sync::Arc, time::Instant};

use chorus::{
    engine::SharedMemory,
    native::{Engine, Path, SharedError, Transaction, View},
    region::{
        Address, MapOptions, Name, Permissions, RegionOptions,
        config::SharedMemoryConfig,
        page::{PAGE_BYTES, Page},
    },
};

const PAGES: usize = (1 << 20) / PAGE_BYTES;
const SIZE: u64 = (PAGES * PAGE_BYTES) as u64;

type Message = Vec<Arc<Page>>;
type Tx = Transaction<u8, u64, Message, SharedError>;

/// Creates the region, lets the reader look at it, and puts the message in.
fn send(writer: Address, reader: Address, name: Name, message: Message) -> Tx {
    let send = Tx::new(async move |view: View<u8, u64>| {
        let regions = view.regions();
        let (rights, options) = (Permissions::ALL, RegionOptions::PERSISTENT);
        let region = regions.create(name, SIZE, rights, options).await?;
        regions.grant(region, reader, Permissions::READ).await?;
        let mapping = regions.map(region, MapOptions::NONE).await?;
        // Pages change hands: the region holds the very ones that the message is made of.
        regions.write_pages(mapping, 0, &message).await?;
        Ok(Vec::new())
    });
    send.acting_as(writer)
}

/// Takes the message out, if it has been sent.
fn receive(writer: Address, reader: Address, name: Name) -> Tx {
    let receive = Tx::new(async move |view: View<u8, u64>| {
        let regions = view.regions();
        let Some(region) = regions.open(writer, name).await? else { return Ok(Vec::new()) };
        let mapping = regions.map(region, MapOptions::READ_ONLY).await?;
        regions.read_pages(mapping, 0, PAGES).await
    });
    receive.acting_as(reader)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let [writer, reader] = [1, 2].map(Address::from_number);
    let name = Name::new("message")?;
    let page = |number: usize| Page::from_bytes(&[number as u8; PAGE_BYTES]);
    let message: Message = (0..PAGES).map(page).collect();

    let memory = SharedMemory::new(SharedMemoryConfig::production())?;
    let engine =
        Engine::builder().threads(2).path(Path::Parallel).shared_memory(memory.clone()).build()?;
    // Whoever comes before the sender finds nothing, whatever runs first.
    let block = [
        receive(writer, reader, name),
        send(writer, reader, name, message.clone()),
        receive(writer, reader, name),
    ];
    let begin = Instant::now();
    let outcome = engine.execute(&block, HashMap::new())?;
    let took = begin.elapsed();

    let [early, sent, late] = &outcome.results[..] else { unreachable!("three transactions") };
    assert_eq!((early, sent), (&Ok(Vec::new()), &Ok(Vec::new())));
    let received = late.as_ref().map_err(Clone::clone)?;
    assert_eq!(received.len(), PAGES);
    assert!(received.iter().zip(&message).all(|(one, other)| Arc::ptr_eq(one, other)));
    println!("{} KiB passed on in {took:?}, block and all; not a byte was copied", SIZE >> 10);

    // The block's outcome holds the same pages; committed, they are state.
    let changes = outcome.regions.ok_or("a block with shared memory")?;
    let [region] = &changes.regions[..] else { unreachable!("one region") };
    assert!(region.pages.iter().all(|(at, page)| Arc::ptr_eq(page, &message[at.0 as usize])));
    memory.commit(&changes)?;
    let mut last = [0];
    memory.read(region.handle(), SIZE - 1, &mut last)?;
    assert_eq!(last, [(PAGES - 1) as u8]);
    println!("root of all regions 0x{}", memory.root().map(|byte| format!("{byte:02x}")).concat());
    Ok(())
}
