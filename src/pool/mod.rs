//! stand-in
#![allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    B64,
    K4,
    K64,
    M1,
}
impl Class {
    pub fn from_number(n: u8) -> Option<Self> {
        [Self::B64, Self::K4, Self::K64, Self::M1].get(n as usize).copied()
    }
    pub fn bytes(self) -> usize {
        match self {
            Self::B64 => 64,
            Self::K4 => 4096,
            Self::K64 => 65536,
            Self::M1 => 1 << 20,
        }
    }
    pub fn words(self) -> usize {
        self.bytes() / 32
    }
    pub fn smallest_for(b: u64) -> Option<Self> {
        [Self::B64, Self::K4, Self::K64, Self::M1].into_iter().find(|c| c.bytes() as u64 >= b)
    }
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    pub blocks: [u32; 4],
}
impl PoolConfig {
    pub fn production() -> Self {
        Self { blocks: [1024, 256, 64, 16] }
    }
    pub fn development() -> Self {
        Self { blocks: [256, 64, 16, 4] }
    }
    pub fn testing() -> Self {
        Self { blocks: [64, 16, 4, 1] }
    }
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().zip([64u64, 4096, 65536, 1 << 20]).map(|(n, b)| u64::from(*n) * b).sum()
    }
}
