//! A call that fails, and whose writes vanish with it; a checkpoint that is taken back.
//!
//! ```sh
//! cargo run --release --no-default-features --example checkpoint
//! ```

// What is about the library itself, not its users.
#![allow(clippy::disallowed_types)]

use std::{collections::HashMap, error::Error};

use chorus::{
    engine::SharedMemory,
    native::{Engine, SharedError, Transaction, View},
    region::{
        Address, Handle, MapOptions, Name, Permissions, RegionOptions, config::SharedMemoryConfig,
    },
};

type Ledger = View<u8, u64>;

/// What is written at the begin of a region.
async fn text(view: &Ledger, region: Handle) -> Result<String, SharedError> {
    let regions = view.regions();
    // In a frame of its own, so the mapping ends here.
    let read = async || {
        let mapping = regions.map(region, MapOptions::READ_ONLY).await?;
        let mut bytes = [0; 16];
        regions.read(mapping, 0, &mut bytes).await?;
        Ok::<_, SharedError>(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())
    };
    regions.call_static(Address::default(), read).await
}

async fn write(view: &Ledger, region: Handle, text: &str) -> Result<(), SharedError> {
    let mapping = view.regions().map(region, MapOptions::NONE).await?;
    view.regions().write(mapping, 0, text.as_bytes()).await?;
    view.regions().unmap(mapping).await
}

async fn story(view: Ledger) -> Result<Vec<String>, SharedError> {
    let regions = view.regions();
    let name = Name::new("note").unwrap_or_else(|_| unreachable!("a short name"));
    let (rights, options) = (Permissions::ALL, RegionOptions::PERSISTENT);
    let region = regions.create(name, 16, rights, options).await?;
    let mut seen = Vec::new();

    write(&view, region, "first").await?;
    seen.push(text(&view, region).await?);

    // A frame that returns an error undoes what it did, as a call that reverts.
    let failing = async || {
        write(&view, region, "vanishes").await?;
        seen.push(text(&view, region).await?);
        Err::<(), _>(SharedError::StaticViolation)
    };
    let failed = regions.call(Address::default(), failing).await;
    assert_eq!(failed, Err(SharedError::StaticViolation));
    seen.push(text(&view, region).await?);

    // A checkpoint is the same without a frame.
    let checkpoint = regions.checkpoint()?;
    write(&view, region, "second").await?;
    checkpoint.commit();
    let checkpoint = regions.checkpoint()?;
    write(&view, region, "third").await?;
    checkpoint.revert();
    seen.push(text(&view, region).await?);
    Ok(seen)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let memory = SharedMemory::new(SharedMemoryConfig::production())?;
    let engine = Engine::builder().shared_memory(memory.clone()).build()?;
    let outcome = engine.execute(&[Transaction::new(story)], HashMap::new())?;
    let seen = outcome.results[0].clone()?;
    println!("{}", seen.join(" → "));
    assert_eq!(seen, ["first", "vanishes", "first", "second"]);

    memory.commit(&outcome.regions.ok_or("a block with shared memory")?)?;
    let mut note = [0; 6];
    memory.read(memory.list()[0].handle, 0, &mut note)?;
    assert_eq!(&note, b"second");
    Ok(())
}
