"""Pictures of diagrams, drawn on the server by Mermaid itself, without a browser: the extra `svg`.

drawing.py     Pictures: draws in a process of its own, with a time and a memory limit
worker.py      that process
sanitize.py    what of an SVG may come out
"""
