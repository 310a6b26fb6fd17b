"""Portico: a self-hosted, credit-metered gateway for generated text, image and video."""

__version__ = "0.1.0"
