"""The fourth quarter of the simulated years in which much goes wrong; see `years.py`."""

from years import LONG, live

pytestmark = LONG


def test_years_of_faults_end_without_a_broken_promise() -> None:
    live(3)
