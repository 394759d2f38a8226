//! Who runs next.
//!
//! | file | what it holds |
//! |---|---|
//! | [`mailbox`] | messages for a worker, from anybody, without waiting |
//! | [`sleep`] | parking of idle workers, without a lost wake-up |

pub mod mailbox;
pub use mailbox::{Mailbox, MailboxFull};

pub mod sleep;
pub use sleep::{Sleepers, Wake, WorkerId};
