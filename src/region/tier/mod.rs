//! The forms in which committed pages are kept: as they are, compressed, or in a file.
//!
//! ```text
//!            commit                 cold                        beyond the budget
//!   page ────────────► Raw ──────────────► Packed ────────────────────► Spilled
//!                       │  gains nothing                                  ▲
//!                       └──────────────► Dense ───────────────────────────┘
//!                                    load, from any of them: the page, or a fault
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `stored` | [`Stored`]: a page in one of the forms; loading it, and what can be wrong with it |
//! | `pages` | [`StoredPages`]: a region's pages, with how many there are of each form |
//! | `packed` | compressed pages |
//! | `spill` | pages in a file |
//!
//! # Invariants
//!
//! 1. The form says nothing about the content: the root is the same, and no contract sees a difference.
//! 2. A page that left memory, or was compressed, is what the region's commitment says, or it is not
//!    handed out. The commitment holds the keccak256 of every present page; that is the checksum.
//!    A page that stayed as it was is checked as well where [`Check::All`] is asked for.
//! 3. A stored page never changes. Another form replaces it in a new table; whoever has an older table
//!    reads the older form, as long as that table lives.
//! 4. Loading changes nothing: who reads a page often keeps what it loaded.

mod packed;
mod pages;
mod spill;
mod stored;

pub use self::{
    packed::{Packed, Packer},
    pages::{StoredPages, Tiers},
    spill::{Spill, SpillError, Spilled},
    stored::{Check, Damage, PageFault, Stored},
};
