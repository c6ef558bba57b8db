// Passkeys: the browser makes one, or shows that it has one, and the page's form takes that to the server.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("passkey");
  const said = form.querySelector("[role=alert]");
  const button = form.querySelector("button[type=submit]");
  if (!webauthnJSON.supported()) {
    said.textContent = form.dataset.unsupported;
    return;
  }
  form.hidden = button.hidden = false;

  async function options() {
    const data = document.getElementById("passkey-options");
    if (data) return JSON.parse(data.textContent);
    const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(answer.statusText);
    return answer.json();
  }

  async function credential() {
    const { creation_options: made, request_options: asked } = await options();
    if (!made) return webauthnJSON.get(asked);
    const alone = form.elements.passwordless.checked;
    const selection = made.publicKey.authenticatorSelection;
    selection.residentKey = alone ? "required" : "discouraged";
    selection.requireResidentKey = alone;
    if (alone) selection.userVerification = "required";
    return webauthnJSON.create(made);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    button.disabled = true;
    try {
      form.elements.credential.value = JSON.stringify(await credential());
      form.submit();
    } catch (error) {
      said.textContent = form.dataset[{ InvalidStateError: "known", SecurityError: "unsupported" }[error.name]] ?? form.dataset.failed;
      button.disabled = false;
    }
  });
});
