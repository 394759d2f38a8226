//! What a closure can do with regions beyond single operations: frames, checkpoints, whole pages.
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::{collections::HashMap, sync::Arc};

use chorus::{
    engine::SharedMemory,
    native::{Engine, Path, Regions, SharedError, Transaction, View},
    region::{
        Address, Handle, MapOptions, Name, Permissions, RegionError, RegionOptions,
        config::SharedMemoryConfig,
        error::{AccessError, CreateError, MapError},
        page::{PAGE_BYTES, Page},
    },
};
use ruint::aliases::U256;

const PAGE: u64 = PAGE_BYTES as u64;

fn ann() -> Address {
    Address::from_number(1)
}

fn bob() -> Address {
    Address::from_number(2)
}

/// Runs a closure of Ann's alone in a block, on a worker and directly, and passes its error on.
fn run<F>(body: F) -> Arc<SharedMemory>
where
    F: AsyncFn(View<u8, u64>) -> Result<(), SharedError> + Clone + Send + Sync + 'static,
{
    let memory = SharedMemory::new(SharedMemoryConfig::production()).unwrap();
    for path in [Path::Direct, Path::Parallel] {
        let engine = Engine::builder().threads(1).path(path).shared_memory(memory.clone());
        let block = [Transaction::new(body.clone()).acting_as(ann())];
        let outcome = engine.build().unwrap().execute(&block, HashMap::new()).unwrap();
        assert_eq!(outcome.results, [Ok(())]);
        if path == Path::Parallel {
            memory.commit(&outcome.regions.unwrap()).unwrap();
        }
    }
    memory
}

async fn create(regions: &Regions<u8, u64>, text: &str) -> Result<Handle, SharedError> {
    let name = Name::new(text).unwrap();
    regions.create(name, 2 * PAGE, Permissions::ALL, RegionOptions::PERSISTENT).await
}

async fn byte(regions: &Regions<u8, u64>, mapping: u64) -> Result<u8, SharedError> {
    let mut byte = [0];
    regions.read(mapping, 0, &mut byte).await?;
    Ok(byte[0])
}

fn access(error: AccessError) -> SharedError {
    RegionError::from(error).into()
}

#[test]
fn a_frame_has_mappings_of_its_own_which_end_with_it() {
    run(async |view| {
        let regions = view.regions();
        let region = create(&regions, "a").await?;
        let outer = regions.map(region, MapOptions::NONE).await?;
        let inside = async || {
            let none = access(AccessError::NotMapped { mapping: U256::from(1) });
            assert_eq!(regions.write(1, 0, &[1]).await, Err(none));
            let inner = regions.map(region, MapOptions::NONE).await?;
            assert_eq!(inner, 1);
            regions.write(inner, 0, &[7]).await?;
            // Both are in the way.
            assert!(regions.destroy(region).await.is_err());
            Ok::<_, SharedError>(())
        };
        regions.call(ann(), inside).await?;
        assert_eq!(byte(&regions, outer).await?, 7);
        regions.unmap(outer).await?;
        regions.destroy(region).await
    });
}

#[test]
fn a_frame_acts_with_its_own_address_and_the_outer_one_with_its_own_again() {
    run(async |view| {
        let regions = view.regions();
        let region = create(&regions, "a").await?;
        let name = Name::new("a").unwrap();
        let inside = async || {
            let denied = regions.map(region, MapOptions::NONE).await;
            let (actor, needed) = (bob(), Permissions::READ | Permissions::WRITE);
            let expected = MapError::PermissionDenied { actor, needed };
            assert_eq!(denied, Err(RegionError::from(expected).into()));
            create(&regions, "a").await?;
            assert!(regions.open(bob(), name).await?.is_some());
            Ok::<_, SharedError>(())
        };
        regions.call(bob(), inside).await?;
        let taken = RegionError::from(CreateError::RegionExists { handle: region });
        assert_eq!(create(&regions, "a").await, Err(taken.into()));
        Ok(())
    });
}

#[test]
fn a_frame_that_fails_takes_back_what_it_and_its_children_did_also_from_other_frames() {
    let memory = run(async |view| {
        let regions = view.regions();
        let region = create(&regions, "a").await?;
        let outer = regions.map(region, MapOptions::NONE).await?;
        let inside = async || {
            regions.grow(region, 5 * PAGE).await?;
            regions.grant(region, bob(), Permissions::READ).await?;
            let child = async || {
                let mapping = regions.map(region, MapOptions::NONE).await?;
                regions.write(mapping, 0, &[7]).await?;
                create(&regions, "b").await
            };
            regions.call(ann(), child).await?;
            assert_eq!(
                byte(&regions, outer).await,
                Err(access(AccessError::NotMapped { mapping: U256::from(outer) }))
            );
            Err::<(), _>(SharedError::StaticViolation)
        };
        assert_eq!(regions.call(ann(), inside).await, Err(SharedError::StaticViolation));
        assert_eq!(byte(&regions, outer).await?, 0);
        assert_eq!(regions.info(region).await?.0, 2 * PAGE);
        assert_eq!(regions.open(ann(), Name::new("b").unwrap()).await?, None);
        Ok(())
    });
    let [region] = &memory.list()[..] else { panic!("one region") };
    assert_eq!(region.pages, 0);
    assert!(region.meta.live.as_ref().unwrap().grants.is_empty());
}

#[test]
fn a_static_frame_may_look_and_so_may_its_children_whatever_they_call_themselves() {
    run(async |view| {
        let regions = view.regions();
        let region = create(&regions, "a").await?;
        let violation = |result: Result<(), SharedError>| {
            assert_eq!(result, Err(SharedError::StaticViolation));
        };
        let look = async || {
            let child = async || {
                violation(create(&regions, "b").await.map(drop));
                violation(regions.map(region, MapOptions::NONE).await.map(drop));
                violation(regions.grow(region, 5 * PAGE).await);
                violation(regions.destroy(region).await);
                let mapping = regions.map(region, MapOptions::READ_ONLY).await?;
                violation(regions.write(mapping, 0, &[1]).await.map(drop));
                assert_eq!(byte(&regions, mapping).await?, 0);
                regions.unmap(mapping).await
            };
            regions.call(ann(), child).await
        };
        regions.call_static(ann(), look).await?;
        // It was the frame's, not the transaction's.
        regions.grow(region, 5 * PAGE).await
    });
}

#[test]
fn a_checkpoint_that_is_dropped_goes_back() {
    run(async |view| {
        let regions = view.regions();
        let region = create(&regions, "a").await?;
        let mapping = regions.map(region, MapOptions::NONE).await?;
        {
            let _checkpoint = regions.checkpoint()?;
            regions.write(mapping, 0, &[1]).await?;
        }
        assert_eq!(byte(&regions, mapping).await?, 0);
        let outer = regions.checkpoint()?;
        regions.write(mapping, 0, &[2]).await?;
        let inner = regions.checkpoint()?;
        regions.write(mapping, 0, &[3]).await?;
        inner.commit();
        assert_eq!(byte(&regions, mapping).await?, 3);
        outer.revert();
        assert_eq!(byte(&regions, mapping).await?, 0);
        Ok(())
    });
}

#[test]
fn a_checkpoint_decides_those_within_it_and_nothing_after_that_is_theirs() {
    run(async |view| {
        let regions = view.regions();
        let region = create(&regions, "a").await?;
        let mapping = regions.map(region, MapOptions::NONE).await?;
        let outer = regions.checkpoint()?;
        let inner = regions.checkpoint()?;
        outer.commit();
        // Two others, in the places of the two.
        let next = regions.checkpoint()?;
        let nested = regions.checkpoint()?;
        regions.write(mapping, 0, &[1]).await?;
        inner.revert();
        assert_eq!(byte(&regions, mapping).await?, 1);
        nested.commit();
        next.commit();
        assert_eq!(byte(&regions, mapping).await?, 1);
        Ok(())
    });
}

#[test]
fn a_checkpoint_that_outlives_its_frame_ends_with_it() {
    run(async |view| {
        let regions = view.regions();
        let region = create(&regions, "a").await?;
        let inside = async || {
            let mapping = regions.map(region, MapOptions::NONE).await?;
            let checkpoint = regions.checkpoint()?;
            regions.write(mapping, 0, &[1]).await?;
            Ok::<_, SharedError>(checkpoint)
        };
        let escaped = regions.call(ann(), inside).await?;
        let after = async || {
            let _kept = regions.checkpoint()?;
            let inner = async || {
                escaped.revert();
                let mapping = regions.map(region, MapOptions::READ_ONLY).await?;
                assert_eq!(byte(&regions, mapping).await?, 1);
                Ok::<_, SharedError>(())
            };
            regions.call(bob(), async || Ok::<_, SharedError>(())).await?;
            regions.call(ann(), inner).await
        };
        regions.call(ann(), after).await
    });
}

#[test]
fn pages_move_whole_or_not_at_all() {
    run(async |view| {
        let regions = view.regions();
        let region = create(&regions, "a").await?;
        let mapping = regions.map(region, MapOptions::NONE).await?;
        let page = Page::from_bytes(&[7; PAGE_BYTES]);
        let pages = [page.clone(), page.clone()];
        let odd = |offset, pages: u64| SharedError::NotPages { offset, len: pages * PAGE };
        assert_eq!(regions.write_pages(mapping, 100, &pages[..1]).await, Err(odd(100, 1)));
        assert_eq!(regions.read_pages(mapping, 100, 1).await, Err(odd(100, 1)));
        assert_eq!(byte(&regions, mapping).await?, 0);

        assert_eq!(regions.write_pages(mapping, PAGE, &pages).await?, PAGE_BYTES);
        let read = regions.read_pages(mapping, 0, 5).await?;
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].bytes(), Page::zeroed().bytes());
        assert!(Arc::ptr_eq(&read[1], &page));

        // Whoever writes a page that somebody else holds copies it first.
        regions.write(mapping, PAGE, &[1]).await?;
        assert_eq!((page.bytes()[0], read[1].bytes()[0]), (7, 7));
        let mut now = [0; 2];
        regions.read(mapping, PAGE, &mut now).await?;
        assert_eq!(now, [1, 7]);
        Ok(())
    });
}

#[test]
fn a_closure_that_fails_leaves_nothing_and_is_counted() {
    let memory = SharedMemory::new(SharedMemoryConfig::production()).unwrap();
    let fails = Transaction::<u8, u64, (), SharedError>::new(async |view| {
        let regions = view.regions();
        let region = create(&regions, "a").await?;
        let mapping = regions.map(region, MapOptions::NONE).await?;
        regions.write(mapping, 0, &[1; 100]).await?;
        view.put(&1, 1);
        Err(SharedError::StaticViolation)
    });
    let engine = Engine::builder().threads(1).path(Path::Parallel).shared_memory(memory.clone());
    let engine = engine.build().unwrap();
    let outcome = engine.execute(&[fails], HashMap::new()).unwrap();
    assert!(outcome.changes.is_empty());
    let changes = outcome.regions.unwrap();
    assert!(changes.regions.is_empty() && changes.accesses.is_empty());
    assert_eq!((changes.root, changes.usage.bytes_written), ([0; 32], 100));
}
