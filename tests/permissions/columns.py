"""Who the columns of the table are, and the rows that many addresses share."""

Outcome = int | str
Row = tuple[Outcome, ...]
Table = dict[str, dict[str, Row]]

LOGIN = "login"  # sent to the sign-in page

# The first five have their own role alone. The others are raters elsewhere, and have a role of one campaign:
# of the one in the address, or (neighbour) manager of another.
COLUMNS = (
    "nobody", "member", "stranger", "researcher", "manager", "campaign manager", "campaign researcher",
    "neighbour",
)  # fmt: skip


def whole(row: Row) -> Row:
    """Fill a row of five up, as for whatever hangs on a campaign.

    A role of the campaign gives what the role gives; a role of another campaign finds nothing.
    """
    if len(row) == len(COLUMNS):
        return row
    researcher, manager = row[3:]
    return (*row, manager, researcher, 403 if manager == 403 else 404)


# what hangs on a campaign
LOOK = (LOGIN, 403, 403, 200, 200)
MANAGE = (LOGIN, 403, 403, 403, 200)
CHANGE = (LOGIN, 403, 403, 403, 302)
API_LOOK = (401, 403, 403, 200, 200)
API_MANAGE = (401, 403, 403, 403, 200)
API_CREATE = (401, 403, 403, 403, 201)
# lists of what hangs on campaigns: everybody with a role somewhere sees their own
LIST = (LOGIN, 403, 403, 200, 200, 200, 200, 200)
API_LIST = (401, 403, 403, 200, 200, 200, 200, 200)
# the whole installation
ADMINISTER = (LOGIN, 403, 403, 403, 200, 403, 403, 403)
ADMINISTER_CHANGE = (LOGIN, 403, 403, 403, 302, 403, 403, 403)
API_ADMINISTER = (401, 403, 403, 403, 200, 403, 403, 403)
API_ADMINISTER_CREATE = (401, 403, 403, 403, 201, 403, 403, 403)
# oneself
OWN = (LOGIN, 200, 200, 200, 200, 200, 200, 200)
API_OWN = (401, 200, 200, 200, 200, 200, 200, 200)
# rating: a manager may, but is no member; a campaign's manager is one, its researcher isn't
RATE = (LOGIN, 200, 404, 403, 404, 200, 404, 404)
ONWARD = (LOGIN, 302, 404, 403, 404, 302, 404, 404)
API_RATE = (401, 200, 404, 403, 404, 200, 404, 404)
API_RATED = (401, 204, 404, 403, 404, 409, 404, 404)  # the task is the member's
API_SUBMIT = (401, 201, 404, 403, 404, 400, 404, 404)
