"""Campaign roles with each person, tokens that are limited, and audit events that say where and from where."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_settings")]

    operations = [
        migrations.AddField(
            "user", "campaign_roles", models.JSONField(blank=True, default=dict, editable=False)
        ),
        migrations.AddField(
            "apitoken",
            "scopes",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=20), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            "apitoken",
            "campaign",
            models.SlugField(blank=True, db_index=False, default="", max_length=60),
        ),
        migrations.AddField("apitoken", "expires_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "auditevent",
            "campaign",
            models.SlugField(blank=True, db_index=False, default="", max_length=60),
        ),
        migrations.AddField("auditevent", "address", models.GenericIPAddressField(blank=True, null=True)),
        migrations.AddIndex(
            "auditevent", models.Index(fields=["campaign", "-id"], name="audit_of_campaign_newest")
        ),
        migrations.AddIndex(
            "auditevent", models.Index(fields=["action", "-id"], name="audit_of_action_newest")
        ),
        migrations.AddIndex("auditevent", models.Index(fields=["created_at"], name="audit_by_day")),
    ]
