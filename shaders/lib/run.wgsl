// What changes from run to run; laid out as `plan::Run` in Rust.
struct Run {
    pos: u32,     // position of the first row
    n_rows: u32,  // rows (tokens) in this run
    draw: u32,    // tokens drawn before
    n_keys: u32,  // rows of the encoder that a decoder looks at
    rope_start: u32, // row of the rotation table that position 0 has
    temperature: f32,
    top_k: u32,
    top_p: f32,
    min_p: f32,
    repetition_penalty: f32,
    presence_penalty: f32,
    frequency_penalty: f32,
    seed_low: u32,
    seed_high: u32,
}
@group(0) @binding(0) var<uniform> run: Run;

// A grid wider than 65,535 workgroups goes on in z.
fn group_index(group: vec3<u32>) -> u32 {
    return group.x + group.z * 65535u;
}
