//! KECCAK256 where a transaction asks for it.
//!
//! | file | concept |
//! |---|---|
//! | `cache` | hashes of short inputs, remembered |
//! | `lanes` | eight hashes of two words each at once, in the time of one |
//! | `guess` | which other entries of a mapping will be asked for |
//! | `instruction` | the instruction that looks there first |

mod cache;
mod guess;
mod instruction;
mod lanes;

pub(crate) use self::{
    cache::SharedKeccakCache,
    instruction::{install, instruction_beside},
};
