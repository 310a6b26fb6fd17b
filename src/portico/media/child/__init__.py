"""The child: the only process that decodes what strangers made.

`python -m portico.media.child` reads one request from its standard input, limits itself, does
the one thing asked, writes one answer and ends. It gets no environment, no descriptors, no
keys, no database and, where the system allows it, no network. It may die at any point; the
parent takes that as "this file is broken".
"""
