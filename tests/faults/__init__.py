"""What can go wrong with a provider, and what must come of it: the table, and how a row is played.

`table.py` is data: every fault with its moment, and for each kind of fault and each fallback what the
caller sees, how often each provider is asked, how long is waited, and what the ledger holds.
`playing.py` plays a row through a real server, by the fronts of `fronts.py`.
"""
