"""Makes src/kernels/quant/grids: the codebooks of the IQ types, as the `gguf` package has them.

    pip install -r tools/requirements.txt
    python tools/export_grids.py

A file holds the points of one grid in the order of their indices, a little-endian 16-bit word each: eight levels of two
bits, or four levels of three bits in a nibble each; the first level is in the lowest bits.
"""

from pathlib import Path

import numpy as np
from gguf.quants import IQ1_S, IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS

GRIDS = {
    "iq1": IQ1_S, "iq2_xxs": IQ2_XXS, "iq2_xs": IQ2_XS, "iq2_s": IQ2_S, "iq3_xxs": IQ3_XXS, "iq3_s": IQ3_S,
}

out = Path(__file__).parent.parent / "src/kernels/quant/grids"
out.mkdir(exist_ok=True)
for name, kind in GRIDS.items():
    kind.init_grid()
    points = kind.grid.reshape(kind.grid_shape)  # [indices, weights of a point]
    levels = np.searchsorted(kind.grid_map, points)
    bits = 16 // kind.grid_shape[1]
    words = (levels << (bits * np.arange(kind.grid_shape[1]))).sum(axis=1)
    words.astype("<u2").tofile(out / f"{name}.bin")
