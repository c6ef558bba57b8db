"""Cells that a spreadsheet would compute."""

import pytest

from accounts.spreadsheets import harmless


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-x", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_what_a_spreadsheet_would_compute_is_quoted(cell):
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=b", "-1.5", "+3", -2, None, 0.5])
def test_words_and_numbers_stay(cell):
    assert harmless(cell) is cell
