"""Media: files of customers and of upstreams, from the first magic byte to the signed link.

The bytes alone decide what a file is. The server process never decodes anything: a limited
child process does. Files lie in a storage under keys made from asset ids, and are recorded only
once they are whole. This room knows no URL of anybody else (see `outbound`) and no price.

Import its modules by name: the child starts with this package, so nothing is imported here.
"""
