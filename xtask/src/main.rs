//! `cargo xtask …`: build, serve, test and measure intab.
fn main() {}
