"""The profiles a search may choose from: one level a unit, the budget kept exactly.

Reference: Sieberling et al., arXiv 2410.14649, section 3 (level switches). A profile is a tuple
of level indices, one a unit; index 0 is the cheapest level. Units are in groups, and within
a group a step of a level always costs the same, so that raising one unit and lowering
another leaves the cost as it was.
Letters: n units, L levels of a unit.
"""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Mapping, Sequence

Profile = tuple[int, ...]
"""Level index of each unit, 0 the cheapest."""


class CompressionSpace:
    """All profiles whose levels in each group add up to that group's total.

    Args:
        units: Names of the units, in the order of a profile.
        levels: What a level index stands for: bits, share of weights kept, 0 and 1.
        cost: Unit → cost at each level, in whole numbers (bits, weights).
        groups: Unit → label of its group; all one group if None.
        totals: Group → sum of the level indices of its units.

    Raises:
        ValueError: if a unit's costs do not grow, differ within a group or are unevenly
            spaced there, or a total cannot be reached.
    """

    def __init__(
        self,
        units: Sequence[str],
        levels: Sequence[float],
        cost: Sequence[Sequence[int]],
        totals: Mapping[Hashable, int],
        groups: Sequence[Hashable] | None = None,
    ) -> None:
        self.units = tuple(units)
        self.levels = tuple(levels)
        self.cost = tuple(tuple(row) for row in cost)
        self.groups = tuple(groups) if groups is not None else (0,) * len(self.units)
        n, L = len(self.units), len(self.levels)
        if not n or L < 2:
            raise ValueError(f"a space needs units and at least two levels, got {n} units and {L} levels")
        if not len(self.cost) == len(self.groups) == n or any(len(row) != L for row in self.cost):
            raise ValueError(f"cost and groups must be given for each of {n} units, cost at {L} levels each")
        self.members: dict[Hashable, list[int]] = {}
        for unit, group in enumerate(self.groups):
            self.members.setdefault(group, []).append(unit)
        self.totals = dict(totals)
        if self.totals.keys() != self.members.keys():
            raise ValueError(f"totals are of groups {list(self.totals)}, the units of {list(self.members)}")
        for group, members in self.members.items():
            self._check(group, members)
        if all(self.totals[group] in (0, len(m) * (L - 1)) for group, m in self.members.items()):
            raise ValueError("the budget leaves a single profile: there is nothing to search")

    def _check(self, group: Hashable, members: list[int]) -> None:
        first, L = self.cost[members[0]], len(self.levels)
        steps = {after - before for before, after in zip(first, first[1:], strict=False)}
        if len(steps) > 1 or min(steps) <= 0:
            raise ValueError(
                f"group {group}: levels cost {first}, need equal steps upwards: else a switch of two levels "
                "would change the cost"
            )
        for unit in members:
            if self.cost[unit] != first:
                raise ValueError(
                    f"group {group}: {self.units[unit]} costs {self.cost[unit]} and "
                    f"{self.units[members[0]]} {first}: units of a group must cost the same"
                )
        total, most = self.totals[group], len(members) * (L - 1)
        if not isinstance(total, int) or not 0 <= total <= most:
            raise ValueError(
                f"infeasible budget: group {group} is to hold {total} level steps, its {len(members)} units "
                f"hold 0 to {most}"
            )

    def total_cost(self, profile: Profile) -> int:
        """Cost of a profile, in the unit of `cost`."""
        return sum(row[level] for row, level in zip(self.cost, profile, strict=True))

    @property
    def budget(self) -> int:
        """What every feasible profile costs."""
        found = 0
        for group, members in self.members.items():
            row = self.cost[members[0]]
            found += len(members) * row[0] + self.totals[group] * (row[1] - row[0])
        return found

    def is_feasible(self, profile: Profile) -> bool:
        """Whether a profile has a level for each unit and every group's total."""
        L = len(self.levels)
        return (
            len(profile) == len(self.units)
            and all(isinstance(level, int) and 0 <= level < L for level in profile)
            and all(sum(profile[i] for i in m) == self.totals[g] for g, m in self.members.items())
        )

    def check(self, profile: Sequence[int]) -> Profile:
        """The profile, as a tuple.

        Raises:
            ValueError: if it is not feasible.
        """
        found = tuple(profile)
        if not self.is_feasible(found):
            sums = {g: sum(found[i] for i in m if i < len(found)) for g, m in self.members.items()}
            raise ValueError(
                f"profile of {len(found)} levels is not feasible: need {len(self.units)} level indices "
                f"in 0..{len(self.levels) - 1} whose sums are {self.totals}, got {sums}"
            )
        return found

    def size(self) -> int:
        """How many profiles are feasible; the product over groups of the ways to reach the total."""
        L = len(self.levels)
        product = 1
        for group, members in self.members.items():
            n, total = len(members), self.totals[group]
            # Inclusion and exclusion of units above L - 1.
            product *= sum(
                (-1) ** j * math.comb(n, j) * math.comb(total - j * L + n - 1, n - 1)
                for j in range(n + 1)
                if total - j * L >= 0
            )
        return product

    def random_feasible(self, rng: random.Random) -> Profile:
        """A profile drawn by taking level steps away at random from all units at the highest level."""
        top = len(self.levels) - 1
        profile = [top] * len(self.units)
        for group, members in self.members.items():
            room = [i for i in members for _ in range(top)]
            for unit in rng.sample(room, len(room) - self.totals[group]):
                profile[unit] -= 1
        return tuple(profile)

    def mutate(self, profile: Profile, rng: random.Random, switches: int = 1) -> Profile:
        """Switch levels: raise one unit by one and lower another of its group by one, `switches` times.

        Later switches may undo earlier ones; a result that equals the parent is for the caller to
        discard. With two levels a switch is a swap of a kept and a dropped unit.
        """
        levels, top = list(profile), len(self.levels) - 1
        for _ in range(switches):
            pairs = []
            for members in self.members.values():
                up = [i for i in members if levels[i] < top]
                down = [i for i in members if levels[i] > 0]
                if up and down and (len(up) > 1 or up != down):
                    pairs.append((up, down))
            if not pairs:
                break
            # A group is drawn as often as it has units to raise.
            up, down = rng.choices(pairs, weights=[len(up) for up, _ in pairs])[0]
            raised, lowered = rng.choice(up), rng.choice(down)
            while raised == lowered:
                raised, lowered = rng.choice(up), rng.choice(down)
            levels[raised] += 1
            levels[lowered] -= 1
        return tuple(levels)


def switches(rng: random.Random) -> int:
    """How many switches an offspring is away: the lesser of two draws of 1 to 3, so mostly one."""
    return min(rng.randint(1, 3), rng.randint(1, 3))
