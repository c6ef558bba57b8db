"""Let PostgreSQL look at the queue again after so many claims, not after a tenth of a long one.

A slot's rater and status are all alike when a round opens; plans made from that would read all that a rater
ever did, for as long as the statistics stay. And leave room in the pages of tasks, so that counting a judgment
writes to no index.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("labeling", "0006_trust")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE labeling_slot"
            " SET (autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 2000)",
            "ALTER TABLE labeling_slot RESET (autovacuum_analyze_scale_factor, autovacuum_analyze_threshold)",
        ),
        migrations.RunSQL(
            "ALTER TABLE labeling_task SET (fillfactor = 85)",
            "ALTER TABLE labeling_task RESET (fillfactor)",
        ),
    ]
