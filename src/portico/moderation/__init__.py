"""Moderation: an operator's blocklist of words and patterns, per model or for all."""

from portico.moderation.blocklist import Blocklist, load

__all__ = ["Blocklist", "load"]
