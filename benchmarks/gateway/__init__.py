"""What the gateway costs beside others: `python -m benchmarks.gateway`, or `make bench-gateway`.

__main__.py    starts each gateway in turn, drives the load at it and prints the table
measures.py    one measure each: a load, and what is read off the gateway's process meanwhile
candidates.py  the gateways: ours, the bare references, and others where they are installed
references.py  the bare references themselves
upstream.py    the provider: plain bytes from a process of its own
load.py        the clients: plain bytes from a process of its own
"""
