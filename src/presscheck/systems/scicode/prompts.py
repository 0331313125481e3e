"""Asks a model for the steps of a problem, one after another, and takes the code out of its replies.

Reference: Tian et al., arXiv 2407.13168, section 3: the four settings are with or
without the scientists' background, and with the model's own or the gold code for the
steps before. Differences: the wording of the prompt is our own; between steps the whole
reply is kept, not just the function asked for, so helpers and constants live on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .problems import SciCodeProblem, SciCodeStep

Mode = Literal["self", "gold"]
Model = Callable[[str], str]

TEMPLATE = """You are solving a research problem step by step in Python. {setting}

Already imported, and all that may be imported:
{dependencies}

Steps that are done, with their code:
{before}

The next step:
{step}

Write this step's code for the header below, complete, in one ```python block. Code of the
steps above may be called and must not be repeated; no examples, no tests.
{header}

It ends with:
{return_line}
"""
FIELDS = ("setting", "dependencies", "before", "step", "header", "return_line")


@dataclass(frozen=True)
class PromptBuilder:
    """Builds the prompt for a step.

    Args:
        with_background: Whether steps come with the scientists' background text.
        template: With the fields of ``TEMPLATE`` in braces; at least ``{step}`` and ``{header}``.
    """

    with_background: bool = False
    template: str = TEMPLATE

    def __post_init__(self) -> None:
        for name in ("step", "header"):
            if f"{{{name}}}" not in self.template:
                raise ValueError(f"the template lacks {{{name}}}: it may have {', '.join(FIELDS)}")

    def _text(self, step: SciCodeStep) -> str:
        if self.with_background and step.background.strip():
            return f"{step.description.strip()}\n{step.background.strip()}"
        return step.description.strip()

    def prompt(self, problem: SciCodeProblem, step: SciCodeStep, previous: tuple[str, ...]) -> str:
        """The prompt for a step.

        Args:
            problem: That the step belongs to.
            step: To be written.
            previous: Code of the steps before it, one item a step.

        Raises:
            ValueError: if there is not one item for each step before.
        """
        if len(previous) != step.index - 1:
            raise ValueError(
                f"step {step.number} has {step.index - 1} steps before it, got code for {len(previous)}"
            )
        before = [
            f"{self._text(earlier)}\n```python\n{code.strip()}\n```"
            for earlier, code in zip(problem.steps, previous, strict=False)
        ]
        background = "Background is given with each step." if self.with_background else ""
        values = {
            "setting": background,
            "dependencies": problem.dependencies.strip() or "(nothing)",
            "before": "\n\n".join(before) or "(none)",
            "step": self._text(step),
            "header": step.header.rstrip(),
            "return_line": step.return_line.rstrip(),
        }
        # One pass, so that braces in a problem's own text are left alone.
        return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), self.template)


_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.M | re.S)


def extract_code(reply: str, wanted_name: str) -> str | None:
    """The code of a reply; None if it has none.

    Of the fenced blocks, the last one that parses and defines the wanted name at top
    level counts, so a correction after a draft wins and a usage example at the end does
    not; failing that, all blocks together if they do (a helper in a block of its own);
    failing that, the last block in Python. Without a fence, the whole reply if it parses
    and defines something.
    """
    found = [(tag.lower(), text) for _, tag, text in _FENCE.findall(reply)]
    blocks = [text for tag, text in found if tag in ("", "python", "py", "python3")]
    together = "\n\n".join(blocks)
    defining = [text for text in blocks if wanted_name in _defines(text)]
    if defining:
        # What the chosen block leaves out, and an earlier one has, it may need: a helper, a constant.
        last = defining[-1]
        rest = [text for text in blocks[: blocks.index(last)] if wanted_name not in _defines(text)]
        helpers = [text for text in rest if _defines(text)]
        return "\n\n".join([*helpers, last]).strip("\n")
    if blocks:
        return together.strip("\n") if _defines(together) else (blocks[-1].strip("\n") or None)
    return reply.strip("\n") if _defines(reply) else None


def _defines(code: str) -> set[str]:
    """Functions and classes at top level; none if it does not parse."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in body if isinstance(node, kinds)}


@dataclass(frozen=True)
class StepAttempt:
    """What a solver has written for a step."""

    number: str
    code: str | None
    """None if the reply had no code."""
    previous: tuple[str, ...]
    """Code of the steps before, as this step's script has it."""
    prompt: str = ""
    reply: str = ""
    given: bool = False


@dataclass(frozen=True)
class Solution:
    """A problem's attempts, one a step."""

    problem_id: str
    mode: Mode
    with_background: bool
    attempts: tuple[StepAttempt, ...]


def gold_code(step: SciCodeStep) -> str:
    """A step's reference code.

    Raises:
        ValueError: if it has none.
    """
    if step.gold is None:
        kind = "given code" if step.given else "gold code"
        raise ValueError(f"problem {step.problem_id}: step {step.number} has no {kind}")
    return step.gold


def solve(
    problem: SciCodeProblem,
    model: Model,
    mode: Mode = "self",
    with_background: bool = False,
    *,
    builder: PromptBuilder | None = None,
) -> Solution:
    """Have a model write every step of a problem.

    Args:
        problem: To solve.
        model: Any function from prompt to reply.
        mode: ``self`` goes on from the model's own steps, ``gold`` from the reference code.
        with_background: Whether the prompts have the background; a ``builder`` decides for itself.
        builder: Of the prompts.

    Raises:
        ValueError: if the mode is unknown, or gold code or a given step's code is missing.
    """
    if mode not in ("self", "gold"):
        raise ValueError(f"mode must be self or gold, got {mode!r}")
    builder = builder or PromptBuilder(with_background)
    if mode == "gold":
        for step in problem.steps:
            gold_code(step)
    previous: tuple[str, ...] = ()
    attempts = []
    for step in problem.steps:
        if step.given:
            code: str | None = gold_code(step)
            attempts.append(StepAttempt(step.number, code, previous, given=True))
        else:
            prompt = builder.prompt(problem, step, previous)
            reply = model(prompt)
            code = extract_code(reply, step.name)
            attempts.append(StepAttempt(step.number, code, previous, prompt, reply))
        kept = gold_code(step) if mode == "gold" else code
        previous += (kept or "",)
    return Solution(problem.id, mode, builder.with_background, tuple(attempts))
