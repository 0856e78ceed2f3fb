"""A service as it might run anywhere: it reads one request per line and answers one per line.

It knows nothing of Twintrack but a callback handler. Run in the folder of the triage fixture.
"""

import asyncio
import json
import sys
import time
from typing import Any

from triage_app.chain import chain

from twintrack_bridge.tracer import TwintrackTracer

url, flow, queued = sys.argv[1], sys.argv[2], int(sys.argv[3])
tracer = TwintrackTracer(flow, url, max_queued_runs=queued)

for line in sys.stdin:
    started = time.perf_counter()
    answer: Any
    try:
        given = json.loads(line)
        answer = asyncio.run(chain.ainvoke(given, config={"callbacks": [tracer]}))
    except Exception as error:
        answer = {"failed": str(error)}
    took_ms = (time.perf_counter() - started) * 1000
    told = {"answer": answer, "tookMs": took_ms, "counts": tracer.counts}
    print(json.dumps(told), flush=True)
