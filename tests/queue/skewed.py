"""The web server on a machine whose clock is wrong by CLOCK_SKEW seconds.

Python's clock runs wrong for the whole process: time.time, and Django's timezone.now, which asks datetime.
"""

import os
import time
from datetime import datetime, timedelta

from django.utils import timezone

from config import web

SKEW = float(os.environ["CLOCK_SKEW"])
_time, _now = time.time, timezone.now


def skewed_time() -> float:
    return _time() + SKEW


def skewed_now() -> datetime:
    return _now() + timedelta(seconds=SKEW)


time.time, timezone.now = skewed_time, skewed_now

if __name__ == "__main__":
    web.main()
