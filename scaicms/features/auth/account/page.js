// The token is in the fragment, which browsers send to nobody; it goes once, in the body, to the API of this host.
const invited = location.pathname.endsWith("/invitation");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

const form = document.querySelector("form");
const status = document.querySelector("[role=status]");
document.querySelector("h1").textContent = invited ? "Welcome" : "Choose a new password";
const name = document.querySelector(".invited");
if (!invited) name.remove();
form.hidden = !token;
if (!token) status.textContent = "Open this page by the link in the mail.";

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const path = invited ? "/api/v1/auth/invitations/accept" : "/api/v1/auth/password-reset/confirm";
  const body = { token, ...Object.fromEntries(new FormData(form)) };
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.ok) {
      form.hidden = true;
      status.textContent = "Done. You can log in now.";
      return;
    }
    const { detail } = await answer.json();
    status.textContent = detail.errors?.[0]?.message ?? detail.message;
  } catch {
    status.textContent = "The server could not be reached; try again.";
  }
});
