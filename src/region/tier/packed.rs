//! Compressed pages.

use super::super::{
    page::{PAGE_BYTES, Page},
    rights::Compression,
};
use crate::sync::Arc;

/// How hard Zstandard tries: its default, which packs a page in about ten microseconds.
const ZSTD_LEVEL: i32 = 3;
/// A page is not worth unpacking at every read if packing it saves less than this.
const LEAST_SAVED: usize = PAGE_BYTES / 16;

/// A page in compressed form.
#[derive(Debug)]
pub struct Packed {
    pub(super) method: Compression,
    pub(super) bytes: Box<[u8]>,
}

/// Compresses pages. It keeps its working memory, so one is used for many pages.
#[derive(Default)]
pub struct Packer {
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer { .. }")
    }
}

impl Packer {
    /// The page in compressed form; `None` if that gains too little, or nothing is to be compressed.
    pub fn pack(&mut self, page: &Page, method: Compression) -> Option<Packed> {
        let bytes = match method {
            Compression::None => return None,
            Compression::Lz4 => lz4_flex::block::compress(page.bytes()),
            Compression::Zstd => {
                if self.zstd.is_none() {
                    self.zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL).ok();
                }
                self.zstd.as_mut()?.compress(page.bytes()).ok()?
            }
        };
        let worth = bytes.len() + LEAST_SAVED <= PAGE_BYTES;
        worth.then(|| Packed { method, bytes: bytes.into_boxed_slice() })
    }
}

impl Packed {
    /// What made it.
    #[must_use]
    pub fn method(&self) -> Compression {
        self.method
    }

    /// What was made.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it takes none, which no page does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// The page of bytes that a method made; `Err` says what is wrong with them.
pub(super) fn unpack(method: Compression, bytes: &[u8]) -> Result<Arc<Page>, String> {
    let mut page = [0; PAGE_BYTES];
    let made = match method {
        Compression::None if bytes.len() == PAGE_BYTES => {
            page.copy_from_slice(bytes);
            PAGE_BYTES
        }
        Compression::None => bytes.len(),
        Compression::Lz4 => lz4_flex::block::decompress_into(bytes, &mut page)
            .map_err(|error| format!("LZ4: {error}"))?,
        Compression::Zstd => zstd::bulk::decompress_to_buffer(bytes, &mut page)
            .map_err(|error| format!("Zstandard: {error}"))?,
    };
    match made {
        PAGE_BYTES => Ok(Page::from_bytes(&page)),
        made => Err(format!("{made} bytes instead of {PAGE_BYTES}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(page: &Page, method: Compression) -> Option<Arc<Page>> {
        let packed = Packer::default().pack(page, method)?;
        Some(unpack(packed.method, &packed.bytes).unwrap())
    }

    #[test]
    fn a_page_that_repeats_itself_becomes_small_and_comes_back() {
        let page = Page::from_bytes(&[9; PAGE_BYTES]);
        for method in [Compression::Lz4, Compression::Zstd] {
            assert!(Packer::default().pack(&page, method).unwrap().len() < 64);
            assert_eq!(there_and_back(&page, method).unwrap(), page);
        }
        assert!(Packer::default().pack(&page, Compression::None).is_none());
    }

    #[test]
    fn noise_is_not_compressed() {
        // The hash of the position, so that nothing repeats.
        let mut noise = [0; PAGE_BYTES];
        for (at, word) in noise.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            *word = crate::region::keccak::keccak256(&[&at.to_be_bytes()]);
        }
        let page = Page::from_bytes(&noise);
        for method in [Compression::Lz4, Compression::Zstd] {
            assert!(Packer::default().pack(&page, method).is_none());
        }
    }

    proptest! {
        #[test]
        fn damaged_bytes_are_an_error_or_another_page_and_never_a_panic(
            at in 0..4096_usize,
            bit in 0..8_u8,
            zstd: bool,
        ) {
            let mut bytes = [0; PAGE_BYTES];
            bytes[7..100].fill(3);
            let method = if zstd { Compression::Zstd } else { Compression::Lz4 };
            let mut packed =
                Packer::default().pack(&Page::from_bytes(&bytes), method).unwrap().bytes;
            let at = at % packed.len();
            packed[at] ^= 1 << bit;
            let _ = unpack(method, &packed);
            let _ = unpack(method, &packed[..at]);
        }
    }
}
