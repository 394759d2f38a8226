//! What a transaction depends on, and above all what it does not: each test runs one on a world,
//! changes the world, and says whether what it saw still holds.

use chorus::region::{
    content::PageKey, handle::Handle, meta::Live, operation::Operation, page::page_mut,
    page_map::PageNumber, session::Effects,
};

use crate::{
    region_run::{Run, address, copy, open, publish},
    region_world::MapWorld,
};

/// A region of two pages, of which the first is present. `changing` is of a transaction on it.
fn effects(changing: impl FnOnce(&mut Run, Handle)) -> (MapWorld, Handle, Effects) {
    let mut run = Run::start();
    let handle = run.create("a", 3 * 4096, 4);
    run.grant(handle, 2, 3);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &[1; 4096]);
    run.write(mapping, 8192, &[1; 4096]);
    run.next();
    let world = run.world.clone();
    changing(&mut run, handle);
    (world, handle, run.next())
}

/// Whether what a transaction saw holds although somebody wrote these bytes before it.
fn survives(byte: u64, changing: impl FnOnce(&mut Run, Handle)) -> bool {
    let (mut world, handle, effects) = effects(changing);
    assert!(world.holds(&effects));
    poke(&mut world, handle, byte, 77);
    world.holds(&effects)
}

fn poke(world: &mut MapWorld, handle: Handle, byte: u64, value: u8) {
    let page = PageNumber(byte / 4096);
    let key = PageKey { region: handle.id(), generation: handle.generation(), page };
    let page = world.pages.entry(key).or_insert_with(chorus::region::page::Page::zeroed);
    page_mut(page)[(byte % 4096) as usize] = value;
}

fn change(world: &mut MapWorld, handle: Handle, change: impl FnOnce(&mut Live)) {
    change(world.meta.get_mut(&handle.id()).unwrap().live.as_mut().unwrap());
}

#[test]
fn writes_to_different_words_of_a_present_page_do_not_conflict() {
    let whole_words = |run: &mut Run, handle| {
        let mapping = run.map(handle, 0);
        run.write(mapping, 32, &[5; 64]);
    };
    for byte in [0, 31, 32, 64, 95, 96, 4095] {
        assert!(survives(byte, whole_words), "{byte}");
    }
    let (_, _, effects) = effects(whole_words);
    assert!(effects.pages_seen.iter().all(|seen| seen.what.words.is_empty()));
}

#[test]
fn both_writes_are_there_when_they_are_merged() {
    let (mut world, handle, effects) = effects(|run, handle| {
        let mapping = run.map(handle, 0);
        run.write(mapping, 32, &[5; 32]);
    });
    poke(&mut world, handle, 64, 77);
    poke(&mut world, handle, 32, 77);
    world.apply(&effects);
    let key = PageKey { region: handle.id(), generation: 1, page: PageNumber(0) };
    let bytes = world.pages[&key].bytes();
    assert_eq!((bytes[31], bytes[32], bytes[63], bytes[64], bytes[65]), (1, 5, 5, 77, 1));
}

#[test]
fn a_write_to_a_part_of_a_word_depends_on_that_word() {
    let parts = |run: &mut Run, handle| {
        let mapping = run.map(handle, 0);
        run.write(mapping, 40, &[5; 80]);
    };
    // Words 1 and 3 in part, word 2 as a whole.
    for (byte, expected) in
        [(31, true), (32, false), (63, false), (64, true), (96, false), (128, true)]
    {
        assert_eq!(survives(byte, parts), expected, "{byte}");
    }
}

#[test]
fn a_read_depends_on_the_words_it_covers() {
    let reading = |run: &mut Run, handle| {
        let mapping = run.map(handle, 2);
        run.read(mapping, 33, 32);
    };
    for (byte, expected) in [(31, true), (32, false), (64, false), (95, false), (96, true)] {
        assert_eq!(survives(byte, reading), expected, "{byte}");
    }
}

#[test]
fn reading_what_one_wrote_depends_on_nothing() {
    let shared = |run: &mut Run, handle| {
        let mapping = run.map(handle, 0);
        run.write(mapping, 32, &[5; 32]);
        run.read(mapping, 32, 32);
    };
    assert!(survives(40, shared));
    let snapshot = |run: &mut Run, handle| {
        let mapping = run.map(handle, 1);
        run.write(mapping, 32, &[5; 32]);
        run.read(mapping, 32, 32);
        run.publish(mapping);
        run.read(mapping, 32, 32);
    };
    assert!(survives(40, snapshot));
    // But what was written before a checkpoint that was reverted is not there to be read.
    let reverted = |run: &mut Run, handle| {
        let mapping = run.map(handle, 0);
        run.session.checkpoint(false);
        run.write(mapping, 32, &[5; 32]);
        run.session.revert();
        run.read(mapping, 32, 32);
    };
    assert!(!survives(40, reverted));
}

#[test]
fn what_was_seen_before_a_revert_stays_seen() {
    assert!(!survives(40, |run, handle| {
        run.enter();
        let mapping = run.map(handle, 2);
        run.read(mapping, 32, 32);
        run.session.revert();
    }));
    assert!(!survives(40, |run, handle| {
        run.enter();
        let mapping = run.map(handle, 0);
        run.write(mapping, 33, &[1]);
        run.session.revert();
    }));
}

#[test]
fn a_snapshot_depends_on_what_is_read_and_on_what_is_published_in_part() {
    let written = |run: &mut Run, handle| {
        let mapping = run.map(handle, 1);
        run.write(mapping, 33, &[5; 10]);
    };
    assert!(survives(40, written));
    assert!(!survives(40, |run, handle| {
        written(run, handle);
        run.read(1, 32, 1);
    }));
    assert!(!survives(40, |run, handle| {
        written(run, handle);
        run.ask(publish(1)).unwrap();
    }));
    assert!(survives(64, |run, handle| {
        written(run, handle);
        run.ask(publish(1)).unwrap();
    }));
}

#[test]
fn a_write_depends_on_whether_the_page_is_present() {
    let absent = |run: &mut Run, handle| {
        let mapping = run.map(handle, 0);
        run.write(mapping, 4096, &[5; 32]);
    };
    assert!(!survives(5000, absent));
    // A read does not: an absent page is zeros.
    let reading = |run: &mut Run, handle| {
        let mapping = run.map(handle, 2);
        run.read(mapping, 4096, 32);
    };
    assert!(survives(5000, reading));
    assert!(!survives(4100, reading));
    let (mut world, handle, effects) = effects(absent);
    poke(&mut world, handle, 5000, 0);
    assert!(!world.holds(&effects));
}

#[test]
fn a_copy_depends_on_its_source_and_not_on_its_destination() {
    let copying = |run: &mut Run, handle| {
        let mapping = run.map(handle, 0);
        run.ask(copy(mapping, 8192, 64, 64)).unwrap();
    };
    for (byte, expected) in [(63, true), (64, false), (127, false), (128, true), (8192, true)] {
        assert_eq!(survives(byte, copying), expected, "{byte}");
    }
}

#[test]
fn the_same_bytes_written_again_invalidate_nobody() {
    let (mut world, handle, effects) = effects(|run, handle| {
        let mapping = run.map(handle, 2);
        run.read(mapping, 0, 4096);
    });
    poke(&mut world, handle, 5, 1);
    assert!(world.holds(&effects));
}

#[test]
fn grants_to_others_matter_to_nobody_else() {
    let (mut world, handle, effects) = effects(|run, handle| {
        run.actor = address(2);
        run.map(handle, 0);
    });
    let read = chorus::region::Permissions::READ;
    change(&mut world, handle, |live| live.grant(address(3), read));
    assert!(world.holds(&effects));
    change(&mut world, handle, |live| live.grant(address(2), read));
    assert!(!world.holds(&effects));
}

#[test]
fn the_owner_depends_on_no_grant() {
    let (mut world, handle, effects) = effects(|run, handle| {
        run.map(handle, 0);
        run.grant(handle, 4, 1);
    });
    let read = chorus::region::Permissions::READ;
    change(&mut world, handle, |live| live.grant(address(2), read));
    assert!(world.holds(&effects));
    // Whether its own grant is a new entry decides what it costs.
    change(&mut world, handle, |live| live.grant(address(4), read));
    assert!(!world.holds(&effects));
}

#[test]
fn only_who_asks_for_the_end_depends_on_the_size() {
    let larger = |changing: &dyn Fn(&mut Run, Handle)| {
        let (mut world, handle, effects) = effects(changing);
        change(&mut world, handle, |live| live.size += 1);
        world.holds(&effects)
    };
    assert!(larger(&|run, _| {
        run.open(1, "a");
    }));
    assert!(larger(&|run, handle| {
        run.grant(handle, 5, 1);
    }));
    assert!(!larger(&|run, handle| {
        run.info(handle);
    }));
    assert!(!larger(&|run, handle| {
        run.map(handle, 2);
        run.read(1, 0, 1);
    }));
}

#[test]
fn absence_is_an_observation() {
    let mut run = Run::start();
    assert_eq!(run.open(1, "a"), None);
    let empty = run.world.clone();
    let effects = run.next();
    assert!(empty.holds(&effects));
    run.create("a", 1, 4);
    run.next();
    assert!(!run.world.holds(&effects));
}

#[test]
fn a_handle_that_nothing_stands_behind_is_an_observation() {
    let mut run = Run::start();
    let handle = run.create("a", 1, 4);
    let created = run.next();
    let mut later = Run::start();
    later.ask(Operation::Info { handle }).unwrap_err();
    let effects = later.next();
    assert!(MapWorld::default().holds(&effects));
    assert!(!run.world.holds(&effects));
    assert_eq!(created.meta_changes.len(), 1);
}

#[test]
fn names_of_ones_own_regions_depend_on_nobody() {
    let mut run = Run::start();
    run.create("a", 1, 0);
    run.ask(open(1, "a")).unwrap();
    assert!(run.next().meta_seen.is_empty());
}

#[test]
fn grants_and_growth_of_different_transactions_are_merged() {
    let (world, handle, grown) = effects(|run, handle| {
        run.grow(handle, 5 * 4096);
    });
    let (_, _, granted) = effects(|run, handle| {
        run.grant(handle, 5, 1);
        run.grant(handle, 2, 0);
    });
    let mut both = world.clone();
    both.apply(&grown);
    assert!(both.holds(&granted));
    both.apply(&granted);
    let live = both.meta[&handle.id()].live.clone().unwrap();
    assert_eq!(live.size, 5 * 4096);
    assert_eq!(live.grants.keys().copied().collect::<Vec<_>>(), [address(5)]);
}

#[test]
fn grants_that_stay_as_they_are_are_no_changes() {
    let (_, handle, effects) = effects(|run, handle| {
        // Set as it was, set and revoked again, and set to another value.
        run.grant(handle, 2, 3);
        run.grant(handle, 5, 1);
        run.grant(handle, 5, 0);
        run.grant(handle, 6, 1);
    });
    let [change] = effects.meta_changes.as_slice() else { panic!("one region was changed") };
    assert_eq!(change.key, handle.id());
    assert_eq!(change.what.grants, [(address(6), chorus::region::Permissions::READ)]);
    assert_eq!((change.what.size, change.what.replaced.clone()), (None, None));
}
