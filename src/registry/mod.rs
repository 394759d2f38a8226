//! stand-in
#![allow(missing_docs)]
#[derive(Debug)]
pub struct Lease;
