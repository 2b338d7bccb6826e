//! Inputs that differ from run to run.

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

    /// `n` blocks of a quantized type, every bit at random but for scales that are no finite number.
    pub fn blocks(&mut self, name: &str, block_bytes: usize, n: usize) -> Vec<u8> {
        let halves: &[usize] = match name {
            "F32" | "BF16" => &[],
            "F16" | "Q4_0" | "Q5_0" | "Q8_0" => &[0],
            "Q4_1" | "Q5_1" | "Q4_K" | "Q5_K" => &[0, 2],
            "Q2_K" => &[80, 82],
            "Q3_K" => &[108],
            "Q6_K" => &[208],
            name => panic!("say where {name} has its scales"),
        };
        let mut bytes: Vec<u8> = (0..n * block_bytes).map(|_| self.bits() as u8).collect();
        for block in bytes.chunks_exact_mut(block_bytes) {
            for &at in halves {
                // Every seventh is subnormal, the largest 16; either sign comes up.
                let exponent = if self.bits().is_multiple_of(7) { 0 } else { 1 + self.bits() % 18 };
                block[at + 1] = block[at + 1] & 0x83 | (exponent << 2) as u8;
            }
            match name {
                "F32" => block.copy_from_slice(&self.number().to_le_bytes()),
                "BF16" => block[1] = block[1] & 0x80 | 0x30 | (self.bits() % 16) as u8,
                _ => {}
            }
        }
        bytes
    }
}
