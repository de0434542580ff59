"""The same calls as benchmarks/calls.py in Inspect AI, for a virtual environment that has it. URL CONNECTIONS SESSIONS LOGS."""

from __future__ import annotations

import sys

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.solver import solver

TURNS = 20
URL, CONNECTIONS, SESSIONS, LOGS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]


@solver
def dialogue():
    """One session: each turn sends all that was said before; then one rating."""

    async def solve(state, generate):
        model = get_model()
        messages = [
            ChatMessageSystem(content=f"You are patient {state.sample_id}. " + "Speak as this person would. " * 60)
        ]
        for turn in range(TURNS + 1):
            said = (await model.generate(messages)).completion
            messages.append((ChatMessageAssistant if turn % 2 else ChatMessageUser)(content=said))
        state.messages = messages
        return state

    return solve


if __name__ == "__main__":
    config = GenerateConfig(max_connections=CONNECTIONS, max_tokens=160)
    model = get_model("openai/mock", base_url=URL, api_key="none", config=config, responses_api=False)
    task = Task(dataset=[Sample(input="go", id=number + 1) for number in range(SESSIONS)], solver=dialogue())
    (log,) = eval(task, model=model, max_samples=SESSIONS, display="none", log_dir=LOGS, max_connections=CONNECTIONS)
    sys.exit(0 if log.status == "success" else 1)
