// What was sent and is not answered yet outlives a reload. It is sent again under the same number, by which the server
// knows it: it is never said twice. Kept for this tab alone, because others may use the same computer after it.

const FRESH = 3_600_000; // later it goes back into the box, and people decide

export function outbox(name) {
  const key = `parley-outbox-${name}`;
  return {
    keep: (message) => attempt(() => sessionStorage.setItem(key, JSON.stringify(message))),
    forget: () => attempt(() => sessionStorage.removeItem(key)),
    kept() {
      const message = attempt(() => JSON.parse(sessionStorage.getItem(key) ?? "null"));
      return message ? { ...message, fresh: Date.now() - message.at < FRESH } : null;
    },
  };
}

/* Until the connection may be back: when the browser says so, and now and then without it. */
export function mayBeBack(tries) {
  return new Promise((resolve) => {
    const wait = setTimeout(done, Math.min(15_000, 1_000 * 2 ** tries));
    addEventListener("online", done);
    function done() {
      clearTimeout(wait);
      removeEventListener("online", done);
      resolve();
    }
  });
}

function attempt(work) {
  try {
    return work();
  } catch {
    return null; // browsers may refuse storage; then only a reload would lose it
  }
}
