"""Make random numbers per purpose, and periodic noise from them."""

import zlib

import numpy as np

from portico.providers.local.drawing.pixels import Image


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the random stream of one purpose, so no purpose shifts another's numbers."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def field(
    seed: int,
    purpose: str,
    size: int,
    *,
    slope: float = 1.9,
    low: float = 1.0,
    high: float = 1e9,
    stretch: float = 1.0,
) -> Image:
    """Return a `size`² periodic field of mean 0 and deviation 1.

    The amplitude falls as 1/k^slope between `low` and `high` cycles a period; `stretch` above 1
    makes features longer across than down.
    """
    white = stream(seed, purpose).standard_normal((size, size), dtype=np.float32)
    ky = np.fft.fftfreq(size, 1 / size).astype(np.float32)[:, None]
    kx = np.fft.rfftfreq(size, 1 / size).astype(np.float32)[None, :] * np.float32(stretch)
    k = np.hypot(kx, ky)
    k[0, 0] = 1
    shape = np.where((k >= low) & (k <= high), k ** np.float32(-slope), 0).astype(np.float32)
    shape[0, 0] = 0
    out = np.fft.irfft2(np.fft.rfft2(white) * shape, s=(size, size)).astype(np.float32)
    return np.asarray(out / max(float(out.std()), 1e-9), np.float32)


def unit(values: Image) -> Image:
    """Stretch a field to 0..1 by its extremes."""
    low, high = float(values.min()), float(values.max())
    return ((values - low) / max(high - low, 1e-9)).astype(np.float32)
