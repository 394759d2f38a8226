//! The hash of handles and commitments.

use sha3::{Digest, Keccak256};

/// Keccak-256 of the concatenation of `parts`, as Ethereum uses it: with the padding of the Keccak
/// submission, not SHA-3's.
///
/// The parts are not delimited: `[a, b]` and `[ab]` hash alike. Whoever needs them apart gives them
/// fixed lengths.
#[must_use]
pub fn keccak256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: [u8; 32]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn it_is_ethereums_keccak() {
        // The hash of empty code, as every account without code shows it.
        let empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        assert_eq!(hex(keccak256(&[])), empty);
        let abc = "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45";
        assert_eq!(hex(keccak256(&[b"abc"])), abc);
    }

    #[test]
    fn it_hashes_the_concatenation() {
        let whole = [7; 300];
        assert_eq!(
            keccak256(&[&whole[..1], &[], &whole[1..137], &whole[137..]]),
            keccak256(&[&whole])
        );
    }
}
