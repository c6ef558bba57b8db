"""Let prompts be withdrawn: they are asked no more."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0009_round_design")]

    operations = [
        migrations.AddField(
            model_name="prompt",
            name="withdrawn",
            field=models.BooleanField(default=False),
        ),
    ]
