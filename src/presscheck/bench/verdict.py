"""judge(claim, record) -> Verdict. Pure: the same record always gets the same verdict."""

from __future__ import annotations

from presscheck.bench import compare
from presscheck.claims import Answer, Claim, Record, Verdict


def pairs(claim: Claim, record: Record) -> tuple[list[float], list[float]]:
    """The readings that a claim compares, round by round; the second is empty for `value`."""
    cells = [
        {(m.seed, m.round): m.value for m in record.measurements if m.arm == arm and m.metric == claim.metric}
        for arm in claim.arms
    ]
    both = sorted(set.intersection(*(set(cell) for cell in cells)), key=lambda key: key[1])
    first = [cells[0][key] for key in both]
    return first, [cells[1][key] for key in both] if len(cells) == 2 else []


def judge(claim: Claim, record: Record) -> Verdict:
    """Hold, fail or leave undecided: the whole interval must lie on one side of the bound."""
    for arm in claim.arms:
        if arm in record.skipped:
            return Verdict(claim=claim.id, answer="not measured", why=record.skipped[arm])
        if not any(m.arm == arm and m.metric == claim.metric for m in record.measurements):
            return Verdict(
                claim=claim.id, answer="not measured", why=f"the record has no {claim.metric} of {arm}"
            )
    ours, theirs = pairs(claim, record)
    try:
        if claim.compare == "ratio":
            estimate, low, high = compare.ratio(ours, theirs, claim.confidence)
        elif claim.compare == "difference":
            apart = [x - y for x, y in zip(ours, theirs, strict=True)]
            estimate, low, high = compare.interval(apart, claim.confidence)
        else:
            estimate, low, high = compare.interval(ours, claim.confidence)
    except ValueError as error:
        return Verdict(claim=claim.id, answer="undecided", pairs=len(ours), why=str(error))
    answer: Answer
    if claim.sign == "<=":
        answer = "holds" if high <= claim.bound else "fails" if low > claim.bound else "undecided"
    else:
        answer = "holds" if low >= claim.bound else "fails" if high < claim.bound else "undecided"
    why = "the interval straddles the bound" if answer == "undecided" else ""
    return Verdict(
        claim=claim.id, answer=answer, estimate=estimate, low=low, high=high, pairs=len(ours), why=why
    )
