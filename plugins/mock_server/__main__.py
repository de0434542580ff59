"""`python -m cbtrun.plugins.mock_server`: the server as a process of its own, until it is ended."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from cbtrun.plugins.mock_server.answers import EmbeddedAnswers, default_answer
from cbtrun.plugins.mock_server.server import MockServer


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cbtrun.plugins.mock_server", description=__doc__)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before every answer")
    parser.add_argument("--seconds-per-token", type=float, default=0.0, help="further seconds for each word")
    parser.add_argument("--fault-rate", type=float, default=0.0, help="share of calls that meets a transient fault")
    parser.add_argument("--seed", type=int, default=0, help="of the faults that are drawn")
    parser.add_argument("--serials", action="store_true", help="end every answer with a number of its own")
    parser.add_argument("--embedded", action="store_true", help="answer as author, patient, therapist and rater")
    parser.add_argument("--rubrics", type=Path, action="append", default=[], help="folder of further rubrics")
    parser.add_argument("--model", action="append", help="name that its list of models has; answered is any")
    parser.add_argument(
        "--change",
        action="append",
        default=[],
        metavar="CALL=MODEL[,FINGERPRINT]",
        help="what answers state from a call on",
    )
    parser.add_argument("--port", type=int, default=0, help="to listen on; without it a free one")
    parser.add_argument("--port-file", type=Path, help="where to write the address")
    return parser.parse_args()


def _change(written: str) -> tuple[int, tuple[str, str]]:
    call, _, names = written.partition("=")
    served, _, fingerprint = names.partition(",")
    return int(call), (served, fingerprint)


async def _serve(options: argparse.Namespace) -> None:
    server = MockServer(
        answer=EmbeddedAnswers.of_folders(options.rubrics) if options.embedded else default_answer,
        latency=options.latency,
        seconds_per_token=options.seconds_per_token,
        fault_rate=options.fault_rate,
        seed=options.seed,
        serials=options.serials,
        remember=False,
        port=options.port,
        models=tuple(options.model or ["mock"]),
        changes=dict(map(_change, options.change)),
    )
    await server.start()
    if options.port_file is None:
        print(f"OpenAI's protocol at {server.url}, Google's and Anthropic's at {server.root}", flush=True)
    else:
        part = options.port_file.with_suffix(".part")
        part.write_text(server.url)
        part.replace(options.port_file)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(_options()))
