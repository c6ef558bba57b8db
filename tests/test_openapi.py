"""The API describes itself, without a warning."""

from django.core.management import call_command


def test_the_openapi_document_is_valid_and_without_warnings(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))
    text = (tmp_path / "schema.yml").read_text()
    assert "/api/v1/campaigns/{slug}/judgments/:" in text
    assert "#/components/securitySchemes" in text or "securitySchemes:" in text
