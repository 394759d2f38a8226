//! The scenarios of `chorus bench`: what each promises, and that the engine comes to the sequential
//! result of every one of them on any number of threads.
#![cfg(feature = "evm")]
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod agree;
mod choices;
mod shapes;
