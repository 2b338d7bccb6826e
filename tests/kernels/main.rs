//! Every operation, alone, on both backends: odd sizes, fresh random inputs, outputs poisoned first. The CPU backend is
//! the reference; where its own formula is in question (attention, norms) golden tests hold it to other people's numbers.

mod attention;
mod bench;
#[path = "../common/mod.rs"]
mod common;
mod experts;
mod fused;
mod linear;
#[path = "../random/mod.rs"]
mod random;
mod rows;
mod texts;
mod tune;
