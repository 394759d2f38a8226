//! Eight hashes at once.
//!
//! A processor with AVX-512 permutes eight states of Keccak side by side in the time that one takes: a hash
//! of two words takes 250 ns alone and 33 ns as one of eight (Zen 5, against the assembly that
//! `alloy-primitives` calls). With AVX2, which has neither a rotation nor a three-way instruction, four states
//! take so much longer that guessing does not pay, so there and elsewhere hashes are computed one by one.
//!
//! The permutation is [FIPS 202], section 3.2, on registers that hold one word of each state, and
//! the padding is Keccak's original, as Ethereum has it (Yellow Paper, appendix A). No maintained crate does
//! this without a nightly compiler or a build for one processor (`keccak` 0.2, `p3-keccak` 0.4). `pulp`
//! finds out what the processor can do, and keeps it safe.
//!
//! [FIPS 202]: https://doi.org/10.6028/NIST.FIPS.202

/// How many hashes are computed at once.
pub(super) const LANES: usize = 8;
/// Bytes of what is hashed: a key and the place of a mapping.
pub(super) const LENGTH: usize = 64;

/// What computes eight hashes at once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lanes {
    /// A processor that does.
    Native(imp::Processor),
    /// Any other, in tests: one after another.
    #[cfg(test)]
    Emulated,
}

impl Lanes {
    /// `None`: this one does not.
    pub(super) fn detect() -> Option<Self> {
        imp::detect().map(Self::Native)
    }

    /// The hashes of these inputs.
    pub(super) fn hash(self, inputs: &[[u8; LENGTH]; LANES]) -> [[u8; 32]; LANES] {
        let processor = match self {
            Self::Native(processor) => processor,
            #[cfg(test)]
            Self::Emulated => return inputs.map(|input| alloy_primitives::keccak256(input).0),
        };
        const WORDS: usize = LENGTH / 8;
        /// The last word of what a block of the sponge takes in, 136 bytes.
        const LAST: usize = 16;
        let mut state = [[0; LANES]; 25];
        for (lane, input) in inputs.iter().enumerate() {
            for (word, bytes) in input.as_chunks::<8>().0.iter().enumerate() {
                state[word][lane] = u64::from_le_bytes(*bytes);
            }
        }
        state[WORDS] = [1; LANES];
        state[LAST] = [1 << 63; LANES];
        imp::permute(processor, &mut state);
        std::array::from_fn(|lane| {
            let mut hash = [0; 32];
            for (word, bytes) in hash.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                *bytes = state[word][lane].to_le_bytes();
            }
            hash
        })
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use std::arch::x86_64::__m512i;

    use pulp::{NullaryFnOnce, cast, x86::V4};

    use super::LANES;

    pub(super) type Processor = V4;
    /// One word of each state.
    type Word = [u64; LANES];

    /// The constants of the rounds, which the step iota adds.
    const ROUNDS: [u64; 24] = [
        0x0000_0000_0000_0001,
        0x0000_0000_0000_8082,
        0x8000_0000_0000_808a,
        0x8000_0000_8000_8000,
        0x0000_0000_0000_808b,
        0x0000_0000_8000_0001,
        0x8000_0000_8000_8081,
        0x8000_0000_0000_8009,
        0x0000_0000_0000_008a,
        0x0000_0000_0000_0088,
        0x0000_0000_8000_8009,
        0x0000_0000_8000_000a,
        0x0000_0000_8000_808b,
        0x8000_0000_0000_008b,
        0x8000_0000_0000_8089,
        0x8000_0000_0000_8003,
        0x8000_0000_0000_8002,
        0x8000_0000_0000_0080,
        0x0000_0000_0000_800a,
        0x8000_0000_8000_000a,
        0x8000_0000_8000_8081,
        0x8000_0000_0000_8080,
        0x0000_0000_8000_0001,
        0x8000_0000_8000_8008,
    ];

    pub(super) fn detect() -> Option<Processor> {
        V4::try_new()
    }

    pub(super) fn permute(processor: Processor, state: &mut [Word; 25]) {
        processor.vectorize(Permutation(processor, state));
    }

    struct Permutation<'a>(V4, &'a mut [Word; 25]);

    impl NullaryFnOnce for Permutation<'_> {
        type Output = ();

        /// Steps are written out with constants for places: with loops the compiler keeps the state in memory,
        /// which takes twice as long.
        #[inline(always)]
        fn call(self) {
            let simd = self.0.avx512f;
            let mut s: [__m512i; 25] = cast(*self.1);
            for constant in &ROUNDS {
                macro_rules! xor3 {
                    ($a:expr, $b:expr, $c:expr) => {
                        simd._mm512_ternarylogic_epi64::<0x96>($a, $b, $c)
                    };
                }
                macro_rules! column {
                    ($x:literal) => {
                        xor3!(xor3!(s[$x], s[$x + 5], s[$x + 10]), s[$x + 15], s[$x + 20])
                    };
                }
                // Theta; it is added where a word is moved.
                let columns = [column!(0), column!(1), column!(2), column!(3), column!(4)];
                let turned = columns.map(
                    #[inline(always)]
                    |column| simd._mm512_rol_epi64::<1>(column),
                );
                // Rho and pi: where the words at 0, 1, ... come from, and by how many bits they are turned.
                macro_rules! moved {
                    ($($from:literal << $by:literal),*) => {
                        [$(simd._mm512_rol_epi64::<$by>(
                            xor3!(s[$from], columns[($from + 4) % 5], turned[($from + 1) % 5])
                        )),*]
                    };
                }
                #[rustfmt::skip]
                let b = moved![
                    0 << 0, 6 << 44, 12 << 43, 18 << 21, 24 << 14,
                    3 << 28, 9 << 20, 10 << 3, 16 << 45, 22 << 61,
                    1 << 1, 7 << 6, 13 << 25, 19 << 8, 20 << 18,
                    4 << 27, 5 << 36, 11 << 10, 17 << 15, 23 << 56,
                    2 << 62, 8 << 55, 14 << 39, 15 << 41, 21 << 2
                ];
                // Chi.
                macro_rules! chi {
                    ($($to:literal),*) => {
                        $(s[$to] = simd._mm512_ternarylogic_epi64::<0xd2>(
                            b[$to],
                            b[$to / 5 * 5 + ($to + 1) % 5],
                            b[$to / 5 * 5 + ($to + 2) % 5],
                        );)*
                    };
                }
                chi!(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
                chi!(13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24);
                s[0] = simd._mm512_xor_si512(s[0], simd._mm512_set1_epi64(constant.cast_signed()));
            }
            *self.1 = cast(s);
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod imp {
    use super::LANES;

    #[derive(Clone, Copy, Debug)]
    pub(super) enum Processor {}

    pub(super) fn detect() -> Option<Processor> {
        None
    }

    pub(super) fn permute(processor: Processor, _: &mut [[u64; LANES]; 25]) {
        match processor {}
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;

    use super::*;

    #[test]
    fn eight_hashes_are_those_of_their_inputs() {
        // Elsewhere there is nothing to test: hashes are computed one by one.
        let Some(lanes) = Lanes::detect() else { return };
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..1_000 {
            let mut inputs = [[0; LENGTH]; LANES];
            inputs.iter_mut().for_each(|input| random.fill(input));
            assert_eq!(lanes.hash(&inputs), inputs.map(|input| keccak256(input).0));
        }
    }
}
