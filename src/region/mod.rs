//! Shared memory regions.
//!
//! | file | concept |
//! |---|---|
//! | `kind.rs` | the operations, by name |

pub mod kind;
