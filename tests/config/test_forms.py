"""Labels are shown as they are written."""

from labeling.forms import GuidelineForm
from labeling.settings_forms import SettingsForm


def test_nothing_is_added_to_a_label_or_a_legend():
    assert GuidelineForm()["text"].label_tag() == '<label for="id_text">Text</label>'
    assert ":</legend>" not in SettingsForm()["stages"].as_field_group()
