"""The vocabulary every other room speaks: errors, ids, money, time, jobs.

Nothing here touches a disk, a network or a database, and nothing here imports
another room of Portico.
"""
