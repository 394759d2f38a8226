//! The registry actor's machinery: it keeps no thread, and lets no asker's thread wait.
//!
//! ```text
//!  context ── question + reply sender ──►┌─────────┐ turn  ┌───────────┐ publish ┌───────────┐
//!  context ───────────────────────────►  │ mailbox ├──────►│ behaviour ├────────►│ published │
//!  commit  ── reserved place ─────────►  └─────────┘  ▲    └─────┬─────┘         │   table   │
//!     ▲                                     a worker that        │ destroy       └─────┬─────┘
//!     │                                     looks for mail   ┌───▼───┐  retire         │ load, lease
//!     └─────────────── reply ◄───────────────────────────────┤ limbo ├───────────► leases ◄── readers
//!                                                            └───────┘
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `actor` | [`Actor`], [`Behaviour`]: whoever has time lets the actor work; the turn, panics, closing |
//! | `mailbox` | the bounded mailbox under it; a full one suspends its sender |
//! | `word` | the one word of both: turn, flags, messages counted, places claimed |
//! | `call` | [`Actor::call`]: a host's thread asks and works as the actor meanwhile |
//! | `reply` | [`reply()`](fn@reply): one answer, cancelled by dropping one end, [`Gone`] by dropping the other |
//! | `table` | [`Published`]: immutable tables with a version, one writer, readers without a lock |
//! | `lease` | [`Leases`]: what keeps a record from being collected |
//! | `limbo` | [`Limbo`]: destroyed records until their leases end |
//!
//! # Invariants
//!
//! 1. One thread at a time runs a behaviour, and none waits for it to end.
//! 2. A message whose send is over is handled, or, if the behaviour panics, dropped; every reply
//!    sender that is dropped tells its asker. So each question ends.
//! 3. Whoever waits for a place or a reply has left its waker first and looked again after.
//! 4. The mailbox and the limbo are bounded; the frontier's place is kept free of others.
//! 5. A published table never changes, versions never go back, and a leased record is not retired.
//!
//! # How to use an actor
//!
//! Send with [`Actor::try_send`], [`Actor::poll_send`] or, for the frontier, with
//! [`Actor::try_send_reserved`]; then let it work: [`Actor::poll`], at once or in the worker's loop
//! when [`Actor::has_mail`] says so. The reply is a future.
//!
//! ```
//! use chorus::registry::{Actor, Behaviour, ReplySender};
//!
//! struct Sum(u64);
//! enum Message {
//!     Add(u64),
//!     Total(ReplySender<u64>),
//! }
//! impl Behaviour for Sum {
//!     type Message = Message;
//!     fn handle(&mut self, message: Message) {
//!         match message {
//!             Message::Add(amount) => self.0 += amount,
//!             Message::Total(reply) => {
//!                 reply.send(self.0);
//!             }
//!         }
//!     }
//! }
//!
//! let actor = Actor::new(Sum(0), 8);
//! actor.try_send(Message::Add(2)).ok();
//! actor.try_send(Message::Add(3)).ok();
//! assert_eq!(actor.call(Message::Total), Ok(5));
//! ```

mod actor;
mod call;
mod lease;
mod limbo;
mod mailbox;
mod reply;
mod table;
mod word;

pub use actor::{Actor, Behaviour, Polled};
pub use call::CallError;
pub use lease::{Lease, Leases, Retired};
pub use limbo::{Limbo, LimboFull, Swept};
pub use mailbox::{Refused, Stopped};
pub use reply::{Answered, Gone, ReplyReceiver, ReplySender, reply};
pub use table::{Published, Publisher, Reader, Snapshot, Version};
