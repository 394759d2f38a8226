//! KECCAK256 where a transaction asks for it.
//!
//! | file | concept |
//! |---|---|
//! | `cache` | hashes of short inputs, remembered |
//! | `place` | where |
//! | `lanes` | eight hashes of two words each at once, in the time of one |
//! | `guess` | which other entries of a mapping will be asked for |
//! | `credit` | whether guessing pays |
//! | `several` | entries of mappings that are wanted together |
//! | `instruction` | the instruction that looks there first |

mod cache;
mod credit;
mod guess;
mod instruction;
mod lanes;
mod place;
mod several;

pub(crate) use self::{
    cache::SharedKeccakCache,
    instruction::{install, instruction_beside},
    several::{entries, entry},
};
