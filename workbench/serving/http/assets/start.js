// Shows the document; where the server wants a key, asks for it first and sends it with everything that is tried out.
// The key stays in this page's memory.
"use strict";

const form = document.getElementById("key");

async function show(key) {
  const headers = key ? { "X-API-Key": key } : {};
  const reply = await fetch("/openapi.json", { headers });
  if (!reply.ok) {
    form.hidden = false;
    document.getElementById("said").textContent = key ? "This key is not known, or not valid any more." : "";
    return;
  }
  form.hidden = true;
  const spec = await reply.json();
  document.title = spec.info.title;
  SwaggerUIBundle({
    spec,
    dom_id: "#docs",
    tryItOutEnabled: true,
    validatorUrl: null,
    defaultModelsExpandDepth: 0,
    requestInterceptor: (request) => {
      Object.assign(request.headers, headers);
      return request;
    },
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  show(document.getElementById("token").value.trim());
});
show("");
