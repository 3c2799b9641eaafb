"""A provider on loopback: a real HTTP/1.1 server that plays OpenAI's API, and every way it can fail.

    async with Simulator() as sim:
        sim.reply_text("Hello there.")                       # from now on
        sim.script(Reply(status=503), Reply(cut_after=3))    # the next two requests, then as before
        ...                                                  # ask sim.base_url
        assert sim.requests[0].json["model"] == "gpt-4o"

What is answered by default is decided by `respond(request_json) -> str | Reply`. By hand:
`python -m tests.simulator --port 9999 --text "Hello there."`.
"""

from tests.simulator.replies import Bytes, Cut, Pause, Reply, Reset, Stall, Step
from tests.simulator.server import SeenRequest, Simulator

__all__ = ["Bytes", "Cut", "Pause", "Reply", "Reset", "SeenRequest", "Simulator", "Stall", "Step"]
