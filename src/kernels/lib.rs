//! What the CPU computes with: the quantized types, products of rows and panels, and functions of rows, in vectors of 128
//! bits.
//!
//! These are a package of their own because it is compiled for speed, while the rest of intab, which a page has to
//! download, is compiled for size. So that all of the work is compiled here, nothing in its interface is generic.

pub mod attention;
pub mod cache;
pub mod checksum;
pub mod function;
mod lanes;
pub mod linear;
mod panel;
pub mod quant;
pub mod row;
pub mod wgsl;
