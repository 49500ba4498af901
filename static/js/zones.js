// A list that is filtered by days (<select data-zones>) offers the browser's own time zone.

const zones = document.querySelector("[data-zones]");
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zones && own && own !== "UTC" && ![...zones.options].some((option) => option.value === own)) {
  zones.add(new Option(own, own));
}
