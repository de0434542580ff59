"""The same calls as benchmarks/calls.py in a bare aiohttp loop: no journal, no limits, no checks. URL CONNECTIONS SESSIONS."""

from __future__ import annotations

import asyncio
import sys

import aiohttp

TURNS = 20


async def session(client: aiohttp.ClientSession, url: str, number: int) -> None:
    """One session: each turn sends all that was said before; then one rating."""
    messages = [{"role": "system", "content": f"You are patient {number}. " + "Speak as this person would. " * 60}]
    for turn in range(TURNS + 1):
        body = {"model": "mock", "messages": messages, "max_tokens": 160, "seed": number * 100 + turn}
        async with client.post(f"{url}/chat/completions", json=body) as response:
            said = (await response.json())["choices"][0]["message"]["content"]
        messages.append({"role": "assistant" if turn % 2 else "user", "content": said})


async def main(url: str, connections: int, sessions: int) -> None:
    """All sessions side by side."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as client:
        await asyncio.gather(*(session(client, url, number) for number in range(sessions)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
