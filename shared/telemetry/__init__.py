"""What operators see: traces, Prometheus metrics and log lines. Nothing here ever holds a prompt or a key.

current.py     which request the code runs for: its id and its W3C trace context
metrics.py     counts and histograms of this process, and Prometheus' text of them
spans.py       OpenTelemetry spans and metrics by the GenAI conventions, where an SDK is set up
logs.py        log lines for people, or as JSON
telemetry.py   what one process observes by: the one place that requests and attempts are told to
"""
