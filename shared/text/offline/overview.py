"""A summary without a model: the first sentence of each section, word for word."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from shared.text.offline.answers import ABSTENTION, quoted
from shared.text.offline.model import OfflineAnswer
from shared.text.offline.units import Unit, units
from shared.types import Match

MOST_QUOTES = 12
_FEWEST = 3  # where there are more sections than can be quoted, but few above them
_READS_WELL = 0.2  # the most noise of a sentence that stands for a section


def overview(matches: Sequence[Match]) -> OfflineAnswer:
    """One quote a section, each with its marker, of whole documents in the order of their text.

    Sections are those of the deepest level of which there are no more than MOST_QUOTES; where these are very
    few, the first ones of the level below. The same argument gives the same answer.
    """
    chosen: list[Unit] = []
    for depth in range(1, 4):
        found = _first_units(matches, depth)
        if len(found) <= MOST_QUOTES or len(chosen) < _FEWEST:
            chosen = found[:MOST_QUOTES]
    return quoted(chosen, matches) if chosen else OfflineAnswer(ABSTENTION, (), abstained=True)


def _first_units(matches: Sequence[Match], depth: int) -> list[Unit]:
    """The first sentence of each section down to `depth` that reads well alone."""
    sections = groupby(
        enumerate(matches), key=lambda entry: (entry[1].document_id, entry[1].heading_path[:depth])
    )
    found = (_first(list(section)) for _, section in sections)
    return [unit for unit in found if unit is not None]


def _first(section: Sequence[tuple[int, Match]]) -> Unit | None:
    readable = (unit for index, match in section for unit in units(index, match))
    return next((unit for unit in readable if unit.noise <= _READS_WELL), None)
