"""What a test measured of a model."""

from django.db import models

from models_app.models.artifacts import Model
from models_app.models.data import Revision
from models_app.models.training import TrainingJob
from models_app.querysets import ModelTestQuerySet


class ModelTest(models.Model):
    """The numbers of one test. A part that was not measured has a note that says why, and None for its numbers.

    Shares are from 0 to 1, as Rasa has them in its files.
    """

    job = models.OneToOneField(TrainingJob, on_delete=models.CASCADE, primary_key=True, related_name="result")
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="test_results")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    stories_note = models.TextField(blank=True)
    stories = models.PositiveIntegerField(null=True)  # played
    stories_correct = models.PositiveIntegerField(null=True)  # those that warned among them
    stories_warned = models.PositiveIntegerField(null=True)
    steps_accuracy = models.FloatField(null=True)  # over all intents, entities and actions of all stories

    nlu_note = models.TextField(blank=True)
    held_out_percent = models.PositiveSmallIntegerField(null=True)
    learned = models.PositiveIntegerField(null=True)  # examples that the twin was trained with
    held_out = models.PositiveIntegerField(null=True)  # examples that it was measured with
    only_learned = models.JSONField(default=list)  # intents with one example, which nothing could be held out of
    accuracy = models.FloatField(null=True)  # of intents, like the two below
    macro_f1 = models.FloatField(null=True)
    weighted_f1 = models.FloatField(null=True)

    objects = ModelTestQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["model", "-job"])]

    def __str__(self) -> str:
        return f"test {self.job_id} of {self.model_id}"

    @property
    def stories_share(self) -> float | None:
        return self.stories_correct / self.stories if self.stories and self.stories_correct is not None else None


class LabelScore(models.Model):
    """How well one intent, entity or response was told from the others."""

    class Kind(models.TextChoices):
        INTENT = "intent", "Intent"
        ENTITY = "entity", "Entity"
        RESPONSE = "response", "Response"

    test = models.ForeignKey(ModelTest, on_delete=models.CASCADE, related_name="scores")
    kind = models.CharField(max_length=8, choices=Kind)
    name = models.CharField(max_length=250)
    extractor = models.CharField(max_length=250, blank=True)  # of an entity
    precision = models.FloatField()
    recall = models.FloatField()
    f1 = models.FloatField()
    support = models.PositiveIntegerField()  # held-out examples; of an entity, words

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Confusion(models.Model):
    """How often one intent was taken for another, with some of the examples: pairs of a text and a confidence."""

    test = models.ForeignKey(ModelTest, on_delete=models.CASCADE, related_name="confusions")
    expected = models.CharField(max_length=250)
    predicted = models.CharField(max_length=250, blank=True)  # blank: no intent at all
    count = models.PositiveIntegerField()
    examples = models.JSONField(default=list)

    class Meta:
        ordering = ["-count", "expected", "predicted"]

    def __str__(self) -> str:
        return f"{self.expected} as {self.predicted}"


class StoryFault(models.Model):
    """A test story that did not go as written, as Rasa writes it: with `# predicted:` where it went otherwise."""

    test = models.ForeignKey(ModelTest, on_delete=models.CASCADE, related_name="faults")
    name = models.CharField(max_length=500)
    path = models.CharField(max_length=500, blank=True)  # of the revision's file
    text = models.TextField()
    is_warning = models.BooleanField(default=False)  # it passed, but its author may want to look

    class Meta:
        ordering = ["is_warning", "pk"]

    def __str__(self) -> str:
        return self.name
