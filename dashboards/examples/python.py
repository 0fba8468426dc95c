"""Prints live prices.

    pip install PATH/TO/dashboards/python
    python3 python.py http://127.0.0.1:8425 'sim.*'
"""

import asyncio
import sys

import tickerd


async def main(url="http://127.0.0.1:8425", *topics):
    async with tickerd.connect(url) as t:
        t.on("gap", lambda gap: print("missed, and here:" if gap.recovered else "missed:", *gap.topics, file=sys.stderr))
        async for tick in t.subscribe(topics or "sim.*", rate="1s"):
            print(tick.topic, tick.value.get("price", tick.value) if isinstance(tick.value, dict) else tick.value, flush=True)


asyncio.run(main(*sys.argv[1:]))
