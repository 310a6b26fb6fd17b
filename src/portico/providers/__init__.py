"""Providers: code that speaks to one kind of upstream, ours (`local`, `simulator`) included.

A provider sees a job and a credential. It knows no price, no account, no database row and
no web request. One file each, one line in the registry.
"""
