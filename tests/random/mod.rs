//! Inputs that differ from run to run.

#[allow(dead_code)] // each test uses some
mod text;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Random(pub u64);

#[allow(dead_code)] // each test uses some
impl Random {
    /// Seeded by the clock; the seed is printed for a failure's sake.
    pub fn fresh() -> Random {
        let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        println!("seed {seed}");
        Random(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Between -1 and 1.
    pub fn number(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn numbers(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.number()).collect()
    }

    /// `n` blocks of a quantized type, every bit at random but for scales that are no finite number: every seventh is
    /// subnormal as a half, the largest is 16.
    pub fn blocks(&mut self, name: &str, block_bytes: usize, n: usize) -> Vec<u8> {
        let exponent = |random: &mut Random| match random.bits() {
            bits if bits.is_multiple_of(7) => 0,
            bits => 1 + (bits % 18) as u8,
        };
        self.scaled_blocks(name, block_bytes, n, exponent)
    }

    /// `n` random blocks whose scales have these exponents, as a half has them: 15 makes scales from 1 to 2.
    pub fn scaled_blocks(
        &mut self,
        name: &str,
        block_bytes: usize,
        n: usize,
        exponent: impl Fn(&mut Random) -> u8,
    ) -> Vec<u8> {
        let halves: &[usize] = match name {
            "F32" | "BF16" | "IQ1_M" | "MXFP4" => &[],
            "F16" | "Q4_0" | "Q5_0" | "Q8_0" | "IQ1_S" | "IQ2_XXS" | "IQ2_XS" | "IQ2_S" | "IQ3_XXS"
            | "IQ3_S" | "IQ4_NL" | "IQ4_XS" => &[0],
            "Q4_1" | "Q5_1" | "Q4_K" | "Q5_K" => &[0, 2],
            "Q2_K" => &[80, 82],
            "Q3_K" => &[108],
            "Q6_K" => &[208],
            "TQ1_0" => &[52],
            "TQ2_0" => &[64],
            name => panic!("say where {name} has its scales"),
        };
        let mut bytes: Vec<u8> = (0..n * block_bytes).map(|_| self.bits() as u8).collect();
        for block in bytes.chunks_exact_mut(block_bytes) {
            for &at in halves {
                block[at + 1] = block[at + 1] & 0x83 | exponent(self) << 2;
            }
            match name {
                "F32" => block.copy_from_slice(&self.number().to_le_bytes()),
                "BF16" => block[1] = block[1] & 0x80 | 0x30 | (self.bits() % 16) as u8,
                "MXFP4" => block[0] = 113 + exponent(self),
                "IQ1_M" => {
                    // The half's upper byte is in the high nibbles of two others.
                    let exponent = exponent(self) << 2;
                    block[53] = block[53] & 0x3f | exponent << 4;
                    block[55] = block[55] & 0x8f | exponent & 0x70;
                }
                _ => {}
            }
        }
        bytes
    }
}
