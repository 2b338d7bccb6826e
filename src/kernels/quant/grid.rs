//! The codebooks of the IQ types. Such a type stores no weights but indices of points in a grid, four or eight weights a
//! point; the grid is part of the format. Tables are made by `tools/export_grids.py`: a point is a 16-bit word, eight levels of
//! two bits or four levels of three bits in a nibble each, the first in the lowest bits.

/// Points of IQ1_S and IQ1_M: eight levels; 0, 1, 2 stand for -1, 0, 1.
pub static IQ1: [u16; 2048] = table(include_bytes!("grids/iq1.bin"));
/// Points of IQ2_XXS: eight levels, see [`super::iq2`].
pub static IQ2_XXS: [u16; 256] = table(include_bytes!("grids/iq2_xxs.bin"));
/// Points of IQ2_XS.
pub static IQ2_XS: [u16; 512] = table(include_bytes!("grids/iq2_xs.bin"));
/// Points of IQ2_S.
pub static IQ2_S: [u16; 1024] = table(include_bytes!("grids/iq2_s.bin"));
/// Points of IQ3_XXS: four levels, see [`super::iq3`].
pub static IQ3_XXS: [u16; 256] = table(include_bytes!("grids/iq3_xxs.bin"));
/// Points of IQ3_S.
pub static IQ3_S: [u16; 512] = table(include_bytes!("grids/iq3_s.bin"));

const fn table<const N: usize>(bytes: &[u8]) -> [u16; N] {
    assert!(bytes.len() == 2 * N);
    let mut words = [0; N];
    let mut i = 0;
    while i < N {
        words[i] = u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]);
        i += 1;
    }
    words
}

/// Eight signs of which seven bits are stored, a bit a weight: the number of negative weights is even, which gives the
/// eighth. Looks at the low seven bits.
#[inline(always)]
pub fn signs(seven: u32) -> u8 {
    let seven = seven as u8 & 127;
    seven | (seven.count_ones() as u8 & 1) << 7
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_point_of_a_grid_is_another_one_with_levels_that_stand_for_something() {
        let eights: [&[u16]; 4] = [&IQ1, &IQ2_XXS, &IQ2_XS, &IQ2_S];
        for (i, points) in eights.iter().enumerate() {
            assert!(points.iter().all(|point| point & point >> 1 & 0x5555 == 0), "eights {i} have a level 3");
        }
        let fours: [&[u16]; 2] = [&IQ3_XXS, &IQ3_S];
        for (i, points) in fours.iter().enumerate() {
            assert!(points.iter().all(|point| point & 0x8888 == 0), "fours {i} have a level above 7");
        }
        for (i, points) in eights.iter().chain(&fours).enumerate() {
            assert_eq!(points.iter().collect::<BTreeSet<_>>().len(), points.len(), "grid {i}");
        }
    }

    #[test]
    fn the_number_of_negative_signs_is_even() {
        for seven in 0..256 {
            let signs = signs(seven);
            assert_eq!(u32::from(signs) & 127, seven & 127);
            assert_eq!(signs.count_ones() % 2, 0);
        }
    }
}
