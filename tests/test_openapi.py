"""The API describes itself, without a warning."""

from django.core.management import call_command

from config.urls import document


def test_the_openapi_document_is_valid_and_without_warnings(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))
    text = (tmp_path / "schema.yml").read_text()
    assert "/api/v1/campaigns/{slug}/judgments/:" in text
    assert "#/components/securitySchemes" in text or "securitySchemes:" in text


def test_it_describes_what_requests_have_met():
    described, schemas = document()["paths"], document()["components"]["schemas"]

    def answers(path):
        return described[f"/api/v1/campaigns/{{slug}}{path}"]["get"]["responses"]

    assert "409" in answers("/imports/{id}/preview/")  # the upload isn't kept any more
    assert "400" in answers("/disputes/{id}/")  # it isn't decided yet
    beside = answers("/guidelines/{old}/to/{new}/")["200"]["content"]["application/json"]["schema"]
    assert beside["type"] == "array"
    assert schemas["Talk"]["properties"]["pick"]["nullable"]  # before both answers are there
    assert answers("/")["429"]["headers"]["Retry-After"]["required"]
