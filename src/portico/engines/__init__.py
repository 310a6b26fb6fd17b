"""Engines: who looks at which task next, and when. They decide nothing else."""

from portico.engines.embedded import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
