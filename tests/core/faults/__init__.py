"""The fault campaign: what was tried, the end that each fault should have, and the world in which it is tried.

`table` is the one to read. `alphabet` holds what is put together in every order, `proxy` and `deeds` do the damage.
"""
