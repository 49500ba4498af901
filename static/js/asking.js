// How a page of chat.js shows the server who asks: by cookies and the form's token; inside another site by headers.

const shown = {};

export function show(name, value) {
  shown[name] = value;
}

export function headers() {
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
  return { Accept: "application/json", ...(token && { "X-CSRFToken": token }), ...shown };
}

/* A guest's browser says that it is here before it says anything else, so that both are known as the same. */
const hello = document.body.dataset.hello;
export const ready = hello ? fetch(hello, { method: "POST", headers: headers() }).catch(() => {}) : Promise.resolve();
