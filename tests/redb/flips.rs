//! Bits that flip anywhere in the file.
//!
//! A page of the library can be damaged in more ways than a record, and some make it panic. Whatever
//! happens, this process goes on: opening, verifying, copying and applying end with an answer or
//! an error. And what verifies is the state that was written.

use std::fs;

use crate::{
    data,
    desk::{Desk, block},
    story::Story,
};

const FLIPS: usize = 300;

#[test]
fn a_flipped_bit_is_an_error_or_does_no_harm() {
    let flips = if data::full_sweep() { 20 * FLIPS } else { FLIPS };
    let (desk, story) = (Desk::new(), Story { seed: 1 });
    let store = desk.create();
    for number in 1..=5 {
        story.apply(&store, number);
    }
    let expected = store.to_memory().unwrap();
    drop(store);
    let whole = fs::read(desk.path()).unwrap();
    // Most of the file is room for later; what counts is what is not zero.
    let used: Vec<usize> = (0..whole.len()).filter(|index| whole[*index] != 0).collect();
    let mut rng = fastrand::Rng::with_seed(data::seed());
    let (mut refused, mut harmless) = (0, 0);
    for _ in 0..flips {
        // Half of them in the first pages, which hold what the library knows of itself.
        let index = if rng.bool() { used[rng.usize(..used.len())] } else { rng.usize(..8192) };
        let bit = rng.u32(..8);
        let mut flipped = whole.clone();
        flipped[index] ^= 1 << bit;
        fs::write(desk.path(), &flipped).unwrap();
        let Ok(mut store) = desk.open() else {
            refused += 1;
            continue;
        };
        // Before the check, which may repair: whatever comes of these, they come to an end.
        let _ = store.to_memory();
        let _ = store.view().and_then(|view| view.digest());
        let verified = store.verify();
        match verified.and_then(|()| store.to_memory()) {
            Ok(state) => {
                assert!(state == expected, "bit {bit} of byte {index} changed the state");
                harmless += 1;
            }
            Err(_) => refused += 1,
        }
        let _ = store.apply(&story.diff(6), block(6), None);
    }
    println!("{flips} flips: {refused} refused, {harmless} harmless");
    assert!(refused > 0 && harmless > 0);
}
