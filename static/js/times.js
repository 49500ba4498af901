// Keeps <time data-relative> fresh, in the words of studio/web/formats.py, and adds local time to its title.

const MINUTE = 60, HOUR = 3600, DAY = 86400;
const dateOnly = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const local = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

function largestUnit(seconds) {
  if (seconds < MINUTE) return `${Math.floor(seconds)} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  return `${Math.floor(seconds / HOUR)} h`;
}

function relative(moment, now) {
  const seconds = (now - moment) / 1000;
  const distance = Math.abs(seconds);
  if (distance >= 30 * DAY) return dateOnly.format(moment);
  if (distance < 3) return "just now";
  const ahead = seconds < 0;
  const days = Math.floor(distance / DAY);
  if (days === 1) return ahead ? "tomorrow" : "yesterday";
  const span = days ? `${days} days` : largestUnit(distance);
  return ahead ? `in ${span}` : `${span} ago`;
}

function refresh() {
  const now = new Date();
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const moment = new Date(element.dateTime);
    const words = relative(moment, now);
    if (element.textContent !== words) element.textContent = words;
    if (!element.dataset.local) {
      element.dataset.local = "1";
      element.title += `\n${local.format(moment)}`;
    }
  }
}

refresh();
setInterval(() => { if (!document.hidden) refresh(); }, 5000);
document.addEventListener("visibilitychange", refresh);
document.addEventListener("htmx:afterSettle", refresh);
