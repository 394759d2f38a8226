//! Where an input is remembered.

use super::cache::{ENTRIES, LONGEST};

/// The place of an input: the high bits of its words' products with odd numbers, which a processor
/// computes side by side. What falls on one place only hashes again.
pub(super) fn place(input: &[u8]) -> usize {
    // The fractions of the square roots of the first primes, as in SHA-384 and SHA-512.
    const FACTORS: [u64; LONGEST / 8] = [
        0x6a09_e667_f3bc_c909,
        0xbb67_ae85_84ca_a73b,
        0x3c6e_f372_fe94_f82b,
        0xa54f_f53a_5f1d_36f1,
        0x510e_527f_ade6_82d1,
        0x9b05_688c_2b3e_6c1f,
        0x1f83_d9ab_fb41_bd6b,
        0x5be0_cd19_137e_2179,
        0xcbbb_9d5d_c105_9ed9,
        0x629a_292a_367c_d507,
        0x9159_015a_3070_dd17,
        0x152f_ecd8_f70e_5939,
    ];
    let (words, rest) = input.as_chunks::<8>();
    let terms = words.iter().zip(FACTORS);
    let sum = terms.map(|(word, factor)| u64::from_le_bytes(*word).wrapping_mul(factor));
    let rest = rest.iter().fold(input.len() as u64, |state, byte| state << 8 | u64::from(*byte));
    let sum = sum.fold(rest.wrapping_mul(FACTORS[0]), u64::wrapping_add);
    // What differs in high bytes only has to reach the high bits of the sum's last product, too.
    ((sum ^ sum >> 32).wrapping_mul(FACTORS[1]) >> (u64::BITS - ENTRIES.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_mapping_are_spread() {
        let mut used = [0_u32; ENTRIES];
        for key in 0..ENTRIES as u64 * 16 {
            let mut input = [0; 64];
            input[24..32].copy_from_slice(&key.to_be_bytes());
            input[63] = 3;
            used[place(&input)] += 1;
        }
        assert!(used.iter().all(|hits| (1..64).contains(hits)), "{used:?}");
    }
}
