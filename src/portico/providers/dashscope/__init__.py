"""Alibaba DashScope: its models as data, the bodies of requests, and the provider."""
