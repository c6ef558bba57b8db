import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0015_people_by_link")]

    operations = [
        migrations.RemoveConstraint(model_name="taskresponse", name="task_response_once"),
        migrations.AddConstraint(
            model_name="taskresponse",
            constraint=models.UniqueConstraint(fields=("response", "task"), name="task_response_once"),
        ),
        migrations.AlterField(
            model_name="taskresponse",
            name="response",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="task_responses",
                to="labeling.response",
            ),
        ),
    ]
