from django import forms


class VersionForm(forms.Form):
    version = forms.CharField(
        max_length=40,
        label="Version of Rasa Open Source",
        help_text="Three numbers, such as 3.6.20. It takes 2.7 GB and some minutes; everything else works meanwhile.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "decimal", "placeholder": "3.6.20"}),
    )
