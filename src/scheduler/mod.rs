//! Who runs next.
//!
//! | file | what it holds |
//! |---|---|
//! | [`sleep`] | parking of idle workers, without a lost wake-up |

pub mod sleep;

pub use sleep::{Sleepers, Wake, WorkerId};
