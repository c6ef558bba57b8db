"""docs/roles.md says what accounts/roles.py does."""

import re
from pathlib import Path

from accounts.models import Role
from accounts.roles import ACTIONS, IN_CAMPAIGN

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "roles.md"
ROW = re.compile(r"\| `(\w+)` \|[^|]+\|([^\n]+)\|")


def test_the_table_of_the_page_is_that_of_the_program():
    told = {
        action: [cell.strip() for cell in cells.split("|")] for action, cells in ROW.findall(PAGE.read_text())
    }
    done = {}
    for action, roles in ACTIONS.items():
        everywhere = ["yes" if role in roles else "–" for role in (Role.RATER, Role.RESEARCHER, Role.MANAGER)]
        inside = [
            "there" if role in IN_CAMPAIGN.get(action, ()) else "–"
            for role in (Role.RESEARCHER, Role.MANAGER)
        ]
        done[action] = everywhere + (["yes", "yes"] if action == "own_account" else inside)
    assert told == done
