"""When a cron expression is due, in a time zone. Times are seconds since the epoch (UTC).

Fields and daylight saving are Debian cron's, as `cronsim` (BSD, no dependencies) implements them: what is due once a day
at an hour that does not come that night is due when the gap ends, and once where the hour comes twice; what is due every
hour or minute is due by the clock on the wall, both times.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

from workbench.errors import did_you_mean

EXAMPLE = "'0 6 * * 1' (minute, hour, day of month, month, day of week): Mondays at six"


def expression_problem(expression: str) -> str | None:
    """What is wrong with a cron expression, or None."""
    from cronsim import CronSimError

    if len(expression.split()) != 5:
        return f"'{expression}' has {len(expression.split())} fields; expected five, such as {EXAMPLE}"
    try:
        first = next(_from(expression, "UTC", 0.0), None)
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        return f"'{expression}' has no valid {field}; expected such as {EXAMPLE}"
    return None if first is not None else f"'{expression}' never comes"


def zone_problem(zone: str) -> str | None:
    """What is wrong with the name of a time zone, or None."""
    known = available_timezones()
    if zone in known:
        return None
    near = did_you_mean(zone, known)
    return (
        f"'{zone}' is not a time zone{near if 'mean' in near else '; expected such as UTC or Europe/Berlin'}"
    )


def due(expression: str, zone: str, after: float, until: float) -> list[float]:
    """Every due time later than `after` and not later than `until`, in order."""
    found = []
    for time in _from(expression, zone, after):
        if time > until:
            break
        found.append(time)
    return found


def next_due(expression: str, zone: str, after: float) -> float | None:
    """The first due time later than `after`; None when there is none in the next fifty years."""
    return next(islice(_from(expression, zone, after), 1), None)


def _from(expression: str, zone: str, after: float) -> Iterator[float]:
    """Due times later than `after`, rising.

    Two can fall together where a night's hour is left out, and one that starts in an hour that comes twice is given the
    first one's time.
    """
    from cronsim import CronSim

    last = after
    for moment in CronSim(expression, datetime.fromtimestamp(after, UTC).astimezone(ZoneInfo(zone))):
        time = moment.timestamp()
        if time > last:
            last = time
            yield time
