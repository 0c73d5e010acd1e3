"""What run.py found, to read."""

from collections.abc import Iterable
from typing import Any

from benchmarks.cases import Outcome, Record

# Clips/s at the paper's size in bf16 if nothing but arithmetic and memory limited an H100 or H200: products at the 790
# TFLOP/s that a large matrix product reaches, and everything between them in one pass over memory.
LIMITS = {"classify": 1900, "disentangle": 1180, "autoencode": 840}
SHOWN = 10  # kernels of a profile; results.json has more


def text(record: Record) -> str:
    """Markdown."""
    heading, outcomes = record.heading, list(record.outcomes.values())
    done: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.status == "done":
            done.setdefault(outcome.kind.removeprefix("compiled "), []).append(outcome)
    device = ", ".join(
        f"{name} {heading[name]}" for name in ("cuda", "cudnn", "capability", "gpu_memory_gib") if name in heading
    )
    parts = [heading["machine"], *([device] if device else [])]
    if right := done.get("correctness"):
        parts.append(
            _table(
                ("true float32 against", "loss", "all gradients, cosine", "least of a weight", "norm", ""),
                _right(right),
            )
        )
    if steps := done.get("steps"):
        titles = (
            "training steps",
            "clips/s",
            "ms a step",
            "median",
            "of the limit",
            "of the device's peak",
            "peak GiB",
            "graphs",
        )
        parts.append(_table(titles, (_step(each, heading["tiny"]) for each in steps)))
    if peers := done.get("peer"):
        parts.append(_table(("beside it", "clips/s", "ms a step"), (_peer(each) for each in peers)))
    parts += [_profile(each) for each in done.get("profile", [])]
    parts += [f"- {each.name}: {each.why}" for each in outcomes if each.status != "done"]
    return "\n\n".join(parts) + "\n"


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _right(outcomes: list[Outcome]) -> list[list[str]]:
    rows = []
    for outcome in outcomes:
        for compared, one in outcome.found.items():
            weight, cosine = next(iter(one["worst"].items()), ("", 0.0))
            said = one["beyond"][0] if one["beyond"] else "agrees"
            task = outcome.name.split(":")[0]
            figures = [f"{one['loss']:.2g}", f"{one['whole']:.5f}", f"{cosine:.4f} ({weight})", f"{one['norm']:.2g}"]
            rows.append([f"{task}: {compared}", *figures, said])
    return rows


def _step(outcome: Outcome, tiny: bool) -> list[str]:
    found = outcome.found
    rate, share = found["clips"] / found["seconds"], found.get("flop_share")
    return [
        outcome.name,
        f"{rate:,.0f}",
        f"{1e3 * found['seconds']:.1f}",
        f"{1e3 * found['median']:.1f}",
        "" if tiny else f"{rate / LIMITS[found['task']]:.2f}",
        "" if share is None else f"{share:.2f}",
        f"{found['peak'] / 2**30:.2f}" if found["peak"] else "",
        str(found["graphs"] or ""),
    ]


def _peer(outcome: Outcome) -> list[str]:
    found = outcome.found
    return [outcome.name, f"{found['clips'] / found['seconds']:,.0f}", f"{1e3 * found['seconds']:.1f}"]


def _profile(outcome: Outcome) -> str:
    found: dict[str, Any] = outcome.found["detail"]["profile"]
    steps, seconds = outcome.found["steps"], found["seconds"]
    shares = ", ".join(f"{kind} {share:.0%}" for kind, share in found["shares"].items())
    busy = f"{1e3 * seconds / steps:.1f} ms a step in kernels, {seconds / found['wall']:.0%} of the time"
    said = f"{outcome.name}: {busy}; {shares}."
    rows = [
        [
            kernel["name"][:90].replace("|", "/"),
            f"{kernel['count'] / steps:g}",
            f"{1e3 * kernel['seconds'] / steps:.2f}",
            f"{kernel['seconds'] / seconds:.1%}",
        ]
        for kernel in found["kernels"][:SHOWN]
    ]
    return f"{said}\n\n{_table(('kernel', 'times a step', 'ms a step', 'share'), rows)}"
