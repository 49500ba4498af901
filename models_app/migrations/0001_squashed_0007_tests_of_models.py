"""The tables of assistants, models and trainings as 0001 to 0007 leave them."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from studio.squashing import CreateModels


class Migration(migrations.Migration):

    replaces = [
        ('models_app', '0001_initial'),
        ('models_app', '0002_kinds_and_settings_of_trainings'),
        ('models_app', '0003_artifact_checks'),
        ('models_app', '0004_model_retention'),
        ('models_app', '0005_findings_of_validation'),
        ('models_app', '0006_order_and_facts_of_trainings'),
        ('models_app', '0007_tests_of_models'),
    ]

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateModels([
            migrations.CreateModel(
                name='Artifact',
                fields=[
                    ('sha256', models.CharField(max_length=64, primary_key=True, serialize=False)),
                    ('size', models.PositiveBigIntegerField()),
                    ('stored_at', models.DateTimeField(auto_now_add=True)),
                    ('freed_at', models.DateTimeField(null=True)),
                    ('checked_at', models.DateTimeField(null=True)),
                    ('checked_in', models.TextField(blank=True)),
                    ('problem', models.CharField(blank=True, choices=[('missing', 'missing'), ('damaged', 'damaged')], max_length=16)),
                ],
            ),
            migrations.CreateModel(
                name='Blob',
                fields=[
                    ('sha256', models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                    ('size', models.PositiveIntegerField()),
                    ('content', models.BinaryField()),
                ],
            ),
            migrations.CreateModel(
                name='Assistant',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('slug', models.CharField(max_length=63, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]{0,62}\\Z', 'Use 1 to 63 small letters, digits, dots, dashes and underscores, beginning with a letter or digit.')])),
                    ('title', models.CharField(max_length=120)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                    ('deleted_at', models.DateTimeField(blank=True, null=True)),
                    ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ],
                options={
                    'ordering': ['title'],
                    'constraints': [models.UniqueConstraint(condition=models.Q(('deleted_at', None)), fields=('slug',), name='assistant_slug_unique')],
                },
            ),
            migrations.CreateModel(
                name='Revision',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('number', models.PositiveIntegerField()),
                    ('digest', models.BinaryField(max_length=32)),
                    ('message', models.CharField(blank=True, max_length=300)),
                    ('author_label', models.CharField(max_length=200)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                    ('assistant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='revisions', to='models_app.assistant')),
                    ('author', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('parent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='models_app.revision')),
                ],
                options={
                    'ordering': ['-number'],
                    'constraints': [models.UniqueConstraint(fields=('assistant', 'number'), name='revision_number_unique')],
                },
            ),
            migrations.CreateModel(
                name='Model',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=200, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9][A-Za-z0-9._-]{0,199}\\Z', 'Use 1 to 200 letters, digits, dots, dashes and underscores, beginning with a letter or digit.')])),
                    ('size', models.PositiveBigIntegerField()),
                    ('origin', models.CharField(choices=[('uploaded', 'uploaded'), ('trained', 'trained here'), ('imported', 'imported')], max_length=16)),
                    ('trained_at', models.DateTimeField(null=True)),
                    ('rasa_version', models.CharField(blank=True, max_length=40)),
                    ('rasa_model_id', models.CharField(blank=True, max_length=200)),
                    ('rasa_assistant_id', models.CharField(blank=True, max_length=200)),
                    ('language', models.CharField(blank=True, max_length=20)),
                    ('project_fingerprint', models.CharField(blank=True, max_length=200)),
                    ('training_type', models.CharField(blank=True, max_length=20)),
                    ('domain', models.JSONField(default=dict)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                    ('created_by_label', models.CharField(blank=True, max_length=200)),
                    ('deleted_at', models.DateTimeField(blank=True, null=True)),
                    ('artifact', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='models_app.artifact')),
                    ('assistant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='models_app.assistant')),
                    ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('revision', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='models_app.revision')),
                    ('kept_at', models.DateTimeField(blank=True, null=True)),
                    ('kept_by_label', models.CharField(blank=True, max_length=200)),
                    ('kept_reason', models.CharField(blank=True, max_length=200)),
                ],
                options={
                    'ordering': ['-id'],
                    'indexes': [models.Index(fields=['assistant', '-id'], name='models_app__assista_28a8ab_idx'), models.Index(fields=['rasa_model_id'], name='models_app__rasa_mo_200e14_idx')],
                    'constraints': [models.UniqueConstraint(condition=models.Q(('deleted_at', None)), fields=('assistant', 'name'), name='model_name_unique')],
                },
            ),
            migrations.CreateModel(
                name='RevisionFile',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('path', models.CharField(max_length=500)),
                    ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='models_app.blob')),
                    ('revision', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='files', to='models_app.revision')),
                ],
                options={
                    'ordering': ['path'],
                    'constraints': [models.UniqueConstraint(fields=('revision', 'path'), name='revision_path_unique')],
                },
            ),
            migrations.CreateModel(
                name='Tag',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=63, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9._-]{0,62}\\Z', 'Use 1 to 63 small letters, digits, dots, dashes and underscores, beginning with a letter or digit.')])),
                    ('kind', models.CharField(choices=[('free', 'free'), ('environment', 'environment')], default='free', max_length=16)),
                    ('moved_at', models.DateTimeField(auto_now=True)),
                    ('assistant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tags', to='models_app.assistant')),
                    ('model', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='tags', to='models_app.model')),
                ],
                options={
                    'ordering': ['kind', 'name'],
                    'constraints': [models.UniqueConstraint(fields=('assistant', 'name'), name='tag_unique'), models.CheckConstraint(condition=models.Q(('kind', 'environment'), ('model__isnull', False), _connector='OR'), name='tag_free_points_at_model')],
                },
            ),
            migrations.CreateModel(
                name='TrainingSettings',
                fields=[
                    ('assistant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='training_settings', serialize=False, to='models_app.assistant')),
                    ('rasa_version', models.CharField(blank=True, max_length=40)),
                    ('validate_first', models.BooleanField(default=True)),
                    ('test_after', models.BooleanField(default=False)),
                    ('held_out_percent', models.PositiveSmallIntegerField(default=20)),
                    ('minutes', models.PositiveIntegerField(null=True)),
                    ('memory_mb', models.PositiveIntegerField(null=True)),
                    ('disk_mb', models.PositiveIntegerField(null=True)),
                    ('processes', models.PositiveIntegerField(null=True)),
                ],
            ),
            migrations.CreateModel(
                name='ModelRetention',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('newest', models.PositiveIntegerField(default=20, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(10000)])),
                    ('is_on', models.BooleanField(default=False)),
                    ('last_run_at', models.DateTimeField(null=True)),
                    ('last_deleted', models.PositiveIntegerField(default=0)),
                    ('last_freed', models.PositiveBigIntegerField(default=0)),
                    ('changed_at', models.DateTimeField(auto_now=True)),
                    ('assistant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='model_retention', to='models_app.assistant')),
                    ('changed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ],
            ),
            migrations.CreateModel(
                name='PackageLock',
                fields=[
                    ('sha256', models.CharField(max_length=64, primary_key=True, serialize=False)),
                    ('packages', models.TextField()),
                ],
            ),
            migrations.CreateModel(
                name='TrainingJob',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('number', models.PositiveIntegerField()),
                    ('state', models.CharField(choices=[('queued', 'Queued'), ('preparing', 'Preparing'), ('training', 'Training'), ('packaging', 'Packaging'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled'), ('lost', 'Lost')], default='queued', max_length=16)),
                    ('attempt', models.PositiveSmallIntegerField(default=0)),
                    ('max_attempts', models.PositiveSmallIntegerField(default=2)),
                    ('rasa_version', models.CharField(blank=True, max_length=40)),
                    ('step', models.CharField(blank=True, max_length=200)),
                    ('step_done', models.PositiveIntegerField(default=0)),
                    ('step_total', models.PositiveIntegerField(default=0)),
                    ('message', models.TextField(blank=True)),
                    ('requested_by_label', models.CharField(max_length=200)),
                    ('requested_at', models.DateTimeField(auto_now_add=True)),
                    ('started_at', models.DateTimeField(null=True)),
                    ('finished_at', models.DateTimeField(null=True)),
                    ('cancel_requested_at', models.DateTimeField(null=True)),
                    ('heartbeat_at', models.DateTimeField(null=True)),
                    ('worker', models.CharField(blank=True, max_length=200)),
                    ('assistant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='jobs', to='models_app.assistant')),
                    ('model', models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='job', to='models_app.model')),
                    ('requested_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('revision', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='jobs', to='models_app.revision')),
                    ('kind', models.CharField(choices=[('training', 'Training'), ('test', 'Test'), ('validation', 'Validation')], default='training', max_length=16)),
                    ('tested', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='tests', to='models_app.model')),
                    ('config_core_digest', models.BinaryField(max_length=32, null=True)),
                    ('config_digest', models.BinaryField(max_length=32, null=True)),
                    ('config_path', models.CharField(blank=True, max_length=500)),
                    ('epoch_fraction', models.FloatField(null=True)),
                    ('finetune_from', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='finetunings', to='models_app.model')),
                    ('peak_memory', models.PositiveBigIntegerField(null=True)),
                    ('priority', models.PositiveSmallIntegerField(choices=[(1, 'asked for by a person'), (2, 'automatic')], default=1)),
                    ('seeds', models.JSONField(default=list)),
                    ('lock', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='models_app.packagelock')),
                    ('test_after', models.BooleanField(default=False)),
                ],
                options={
                    'ordering': ['-id'],
                    'indexes': [models.Index(fields=['state', 'priority', 'id'], name='models_app__state_523c6e_idx'), models.Index(fields=['assistant', 'kind', 'state', '-id'], name='models_app__assista_2e040d_idx')],
                    'constraints': [models.UniqueConstraint(fields=('assistant', 'number'), name='job_number_unique')],
                },
            ),
            migrations.CreateModel(
                name='TrainingLog',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('attempt', models.PositiveSmallIntegerField()),
                    ('text', models.TextField()),
                    ('at', models.DateTimeField(auto_now_add=True)),
                    ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='log', to='models_app.trainingjob')),
                ],
                options={
                    'ordering': ['id'],
                    'indexes': [models.Index(fields=['job', 'id'], name='models_app__job_id_9a0917_idx')],
                },
            ),
            migrations.CreateModel(
                name='Validation',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('digest', models.BinaryField(max_length=32)),
                    ('rasa_version', models.CharField(max_length=40)),
                    ('errors', models.PositiveIntegerField()),
                    ('warnings', models.PositiveIntegerField()),
                    ('left_out', models.PositiveIntegerField(default=0)),
                    ('finished_at', models.DateTimeField()),
                    ('assistant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='validations', to='models_app.assistant')),
                    ('job', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='validation', to='models_app.trainingjob')),
                    ('revision', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='validations', to='models_app.revision')),
                ],
                options={
                    'ordering': ['-id'],
                    'indexes': [models.Index(fields=['assistant', 'digest', '-id'], name='models_app__assista_a7c01b_idx')],
                },
            ),
            migrations.CreateModel(
                name='Finding',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('severity', models.CharField(choices=[('error', 'Error'), ('warning', 'Warning')], max_length=16)),
                    ('message', models.TextField()),
                    ('advice', models.CharField(blank=True, max_length=400)),
                    ('path', models.CharField(blank=True, max_length=500)),
                    ('line', models.PositiveIntegerField(null=True)),
                    ('others', models.JSONField(default=list)),
                    ('validation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='findings', to='models_app.validation')),
                ],
                options={
                    'ordering': ['id'],
                    'indexes': [models.Index(fields=['validation', 'id'], name='models_app__validat_088028_idx')],
                },
            ),
            migrations.CreateModel(
                name='ModelTest',
                fields=[
                    ('job', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='result', serialize=False, to='models_app.trainingjob')),
                    ('at', models.DateTimeField(auto_now_add=True)),
                    ('stories_note', models.TextField(blank=True)),
                    ('stories', models.PositiveIntegerField(null=True)),
                    ('stories_correct', models.PositiveIntegerField(null=True)),
                    ('stories_warned', models.PositiveIntegerField(null=True)),
                    ('steps_accuracy', models.FloatField(null=True)),
                    ('nlu_note', models.TextField(blank=True)),
                    ('held_out_percent', models.PositiveSmallIntegerField(null=True)),
                    ('learned', models.PositiveIntegerField(null=True)),
                    ('held_out', models.PositiveIntegerField(null=True)),
                    ('only_learned', models.JSONField(default=list)),
                    ('accuracy', models.FloatField(null=True)),
                    ('macro_f1', models.FloatField(null=True)),
                    ('weighted_f1', models.FloatField(null=True)),
                    ('model', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='test_results', to='models_app.model')),
                    ('revision', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='models_app.revision')),
                ],
                options={
                    'ordering': ['-pk'],
                    'indexes': [models.Index(fields=['model', '-job'], name='models_app__model_i_234eee_idx')],
                },
            ),
            migrations.CreateModel(
                name='LabelScore',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('kind', models.CharField(choices=[('intent', 'Intent'), ('entity', 'Entity'), ('response', 'Response')], max_length=8)),
                    ('name', models.CharField(max_length=250)),
                    ('extractor', models.CharField(blank=True, max_length=250)),
                    ('precision', models.FloatField()),
                    ('recall', models.FloatField()),
                    ('f1', models.FloatField()),
                    ('support', models.PositiveIntegerField()),
                    ('test', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scores', to='models_app.modeltest')),
                ],
                options={
                    'ordering': ['pk'],
                },
            ),
            migrations.CreateModel(
                name='Confusion',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('expected', models.CharField(max_length=250)),
                    ('predicted', models.CharField(blank=True, max_length=250)),
                    ('count', models.PositiveIntegerField()),
                    ('examples', models.JSONField(default=list)),
                    ('test', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='confusions', to='models_app.modeltest')),
                ],
                options={
                    'ordering': ['-count', 'expected', 'predicted'],
                },
            ),
            migrations.CreateModel(
                name='StoryFault',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=500)),
                    ('path', models.CharField(blank=True, max_length=500)),
                    ('text', models.TextField()),
                    ('is_warning', models.BooleanField(default=False)),
                    ('test', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='faults', to='models_app.modeltest')),
                ],
                options={
                    'ordering': ['is_warning', 'pk'],
                },
            ),
        ]),
    ]
