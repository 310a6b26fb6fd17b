"""Emulators: vendors' services as far as their contracts go, with a menu of faults, for tests.

Each listens on a port of its own and makes small real files. They are written from the vendors'
pages and from what their own clients send, never from our providers, and import none of them:
where a provider and an emulator agree, two readings of the contract agree.
"""
