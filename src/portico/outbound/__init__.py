"""Outbound: the one door to addresses named by anyone but the operator.

Input URLs, result URLs, callback URLs and every redirect hop go through here and nowhere else.
A name is resolved once, every answer is checked, and exactly a checked address is dialled; no
credentials, cookies, proxies of the environment or compressed bodies pass in either direction.
All refusals say the same to the customer; the reason goes to the operator's log. Upstreams, whose
addresses the operator set, have a client of their own under the same rules for addresses.
"""

from portico.outbound.budgets import OutboundLimits
from portico.outbound.door import Door, Peek, PostAnswer
from portico.outbound.refusals import is_indirect, not_direct
from portico.outbound.upstream import UpstreamClient, UpstreamLimits

__all__ = [
    "Door",
    "OutboundLimits",
    "Peek",
    "PostAnswer",
    "UpstreamClient",
    "UpstreamLimits",
    "is_indirect",
    "not_direct",
]
