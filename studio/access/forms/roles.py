"""The form of a role."""

from django import forms

from studio.access.categories import with_views
from studio.access.forms import PLAIN
from studio.access.permissions import Permission


class RoleForm(forms.Form):
    name = forms.SlugField(max_length=63, widget=forms.TextInput(attrs=PLAIN))
    description = forms.CharField(max_length=300, required=False, help_text="What people with this role do.")
    is_default = forms.BooleanField(
        required=False, label="For new people", help_text="Offered first when somebody is added."
    )
    permissions = forms.MultipleChoiceField(
        required=False,
        choices=[(permission.value, permission.label) for permission in Permission],
        widget=forms.CheckboxSelectMultiple,
    )

    def clean_permissions(self) -> set[Permission]:
        return with_views(Permission(value) for value in self.cleaned_data["permissions"])
