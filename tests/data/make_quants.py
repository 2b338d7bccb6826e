"""Makes tests/data/quants: random blocks of every type and what the `gguf` package says they hold.

    pip install gguf numpy
    python tests/data/make_quants.py

<TYPE>.bin holds blocks, <TYPE>.f32 their weights; weights.f32 holds numbers, <TYPE>.quantized the blocks
that the package makes of them. All little-endian.
"""

from pathlib import Path

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize, quantize

HALF_OFFSETS = {  # where in a block the half-precision scales are
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
}
MORE_HALF_OFFSETS = {
    T.IQ1_S: [0], T.IQ2_XXS: [0], T.IQ2_XS: [0], T.IQ2_S: [0], T.IQ3_XXS: [0], T.IQ3_S: [0],
    T.IQ4_NL: [0], T.IQ4_XS: [0], T.TQ1_0: [52], T.TQ2_0: [64],
    T.IQ1_M: [], T.MXFP4: [],  # their scales are no halves in one piece
}
SCALES = [0.0117, -0.25, 1.5e-6, -6.0e-8, 65504.0, 0.0]  # two are subnormal as halves
EXPONENTS = [127, 0, 1, 2, 254, 120]  # of MXFP4; with the first two scales are subnormal
EXTREMES = {4: 0x00, 5: 0xFF}  # blocks whose every quant is at one end

out = Path(__file__).parent / "quants"
out.mkdir(exist_ok=True)
random = np.random.default_rng(20240607)


def write_blocks(qtype, offsets):
    _, size = GGML_QUANT_SIZES[qtype]
    blocks = random.integers(0, 256, (len(SCALES), size), dtype=np.uint8)
    for i, byte in EXTREMES.items():
        blocks[i] = byte
    for i, scale in enumerate(SCALES):
        for n, offset in enumerate(offsets):
            half = np.float16(scale if n == 0 else SCALES[(i + 1) % len(SCALES)])
            blocks[i, offset : offset + 2] = np.frombuffer(half.tobytes(), np.uint8)
    if qtype == T.MXFP4:
        blocks[:, 0] = EXPONENTS
    if qtype == T.IQ1_M:  # a nibble of the half on top of each of the last four 16-bit words
        for i, half in enumerate(np.float16(SCALES).view(np.uint16)):
            for n in range(4):
                high = blocks[i, 49 + 2 * n]
                blocks[i, 49 + 2 * n] = high & 15 | (half >> (4 * n) & 15) << 4
    blocks.tofile(out / f"{qtype.name}.bin")
    with np.errstate(over="ignore"):
        weights = dequantize(blocks, qtype)
    weights.astype("<f4").tofile(out / f"{qtype.name}.f32")


for qtype, offsets in HALF_OFFSETS.items():
    write_blocks(qtype, offsets)

edges = [0.0, -0.0, 1.0, -1.0, 6.0e-8, -6.1e-5, 65504.0, -65504.0, np.inf, -np.inf, 1.0e-40, 3.0e38]
numbers = np.concatenate([edges, random.normal(0, 1, 52)]).astype(np.float32)
for qtype in (T.F32, T.F16, T.BF16):
    with np.errstate(over="ignore"):
        blocks = quantize(numbers.reshape(1, -1), qtype)
    blocks.tofile(out / f"{qtype.name}.bin")
    weights = dequantize(blocks.view(np.uint8), qtype)
    weights.astype("<f4").tofile(out / f"{qtype.name}.f32")

# A block of ordinary weights, one of equal ones, one of zeros, and one with rounding ties.
weights = random.normal(0, 0.05, (8, 32)).astype(np.float32)
weights[5] = 0.375
weights[6] = 0.0
weights[7] = np.arange(-16, 16) / 16
weights.tofile(out / "weights.f32")
for qtype in (T.F32, T.F16, T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.MXFP4):
    quantize(weights, qtype).tofile(out / f"{qtype.name}.quantized")
for qtype in (T.TQ1_0, T.TQ2_0):
    quantize(weights.reshape(1, 256), qtype).tofile(out / f"{qtype.name}.quantized")

for qtype, offsets in MORE_HALF_OFFSETS.items():
    write_blocks(qtype, offsets)
