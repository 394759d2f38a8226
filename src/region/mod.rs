//! Shared memory: the structures that hold a region's bytes.

pub mod keccak;
pub mod mask;
pub mod merkle;
pub mod page;
pub mod page_map;
