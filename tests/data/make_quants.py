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
SCALES = [0.0117, -0.25, 1.5e-6, -6.0e-8, 65504.0, 0.0]  # two are subnormal as halves
EXTREMES = {4: 0x00, 5: 0xFF}  # blocks whose every quant is at one end

out = Path(__file__).parent / "quants"
out.mkdir(exist_ok=True)
random = np.random.default_rng(20240607)

for qtype, offsets in HALF_OFFSETS.items():
    _, size = GGML_QUANT_SIZES[qtype]
    blocks = random.integers(0, 256, (len(SCALES), size), dtype=np.uint8)
    for i, byte in EXTREMES.items():
        blocks[i] = byte
    for i, scale in enumerate(SCALES):
        for n, offset in enumerate(offsets):
            half = np.float16(scale if n == 0 else SCALES[(i + 1) % len(SCALES)])
            blocks[i, offset : offset + 2] = np.frombuffer(half.tobytes(), np.uint8)
    blocks.tofile(out / f"{qtype.name}.bin")
    dequantize(blocks, qtype).astype("<f4").tofile(out / f"{qtype.name}.f32")

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
for qtype in (T.F32, T.F16, T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0):
    quantize(weights, qtype).tofile(out / f"{qtype.name}.quantized")
