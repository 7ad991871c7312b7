// Who is signed in, and what they may do. What they may not do is not shown.

import { call, useSession } from "./api.js";
import { announce, byId } from "./dom.js";

const WORDS = {
  sign_in_refused: "The provider's answer admits nobody. Ask who looks after this server.",
  provider_unavailable: "The provider does not answer. Try again later, or sign in in another way.",
};

let current = { scopes: [], galleries: null, cameras: null };

/** Return whether whoever is here has one of these scopes. */
export const may = (...scopes) => current.scopes.includes("admin") || scopes.some((each) => current.scopes.includes(each));

/** Return whether whoever is here is limited to some galleries or cameras. */
export const limited = () => current.galleries !== null || current.cameras !== null;

/**
 * Ask who is here, and let them sign in where that is needed.
 * @param {(session: object) => void} ready is called when somebody is here who may do something.
 */
export async function begin(ready) {
  listen();
  try {
    current = await call("GET", "/v1/session");
  } catch (error) {
    announce(error.message);
    setTimeout(() => location.reload(), 5000);
    return;
  }
  useSession(current.csrf_token, () => signIn("Your session has ended."));
  for (const element of document.querySelectorAll("[data-needs]")) {
    const allowed = may(...element.dataset.needs.split(" ")) && !("whole" in element.dataset && limited());
    element.toggleAttribute("data-denied", !allowed);
  }
  byId("account").hidden = !current.signed_in;
  byId("account-name").textContent = current.kind === "key" ? `key ${current.name || current.id}` : current.name;
  if (!current.asked || current.scopes.length) ready(current);
  else signIn(fromProvider());
}

/** Show the sign-in in place of everything else. */
function signIn(text = "") {
  for (const part of ["faces", "keys", "users", "views", "account"]) byId(part).hidden = true;
  const was = byId("sign-in").hidden;
  byId("sign-in").hidden = false;
  byId("sign-in-password").hidden = !current.ways.includes("password");
  byId("sign-in-provider").hidden = current.provider === null;
  byId("sign-in-provider").firstElementChild.textContent = `Sign in with ${current.provider}`;
  tell(text);
  if (was) byId("sign-in-name").focus();
}

function listen() {
  const name = byId("sign-in-name");
  const secret = byId("sign-in-secret");
  const key = byId("sign-in-key-text");
  byId("sign-in-password").addEventListener("submit", (event) => attempt(event, secret, { name: name.value, password: secret.value }));
  byId("sign-in-key").addEventListener("submit", (event) => attempt(event, key, { key: key.value }));
  byId("log-out").addEventListener("click", logOut);
}

async function attempt(event, field, body) {
  event.preventDefault();
  const button = event.submitter ?? event.target.querySelector("button");
  button.disabled = true;
  tell("");
  try {
    await call("POST", "/v1/session", body, 0);
    history.replaceState(null, "", location.pathname + location.hash);
    location.reload();
  } catch (error) {
    field.value = "";
    tell(`${error.message} (${error.code ?? "error in the page"})`);
    field.focus();
  }
  button.disabled = false;
}

async function logOut() {
  try {
    const { provider } = await call("DELETE", "/v1/session");
    if (provider === null) location.reload();
    else location.assign(provider);
  } catch (error) {
    announce(error.message);
    location.reload();
  }
}

/** Return why a provider has sent somebody back who may not enter. */
function fromProvider() {
  const code = new URLSearchParams(location.search).get("refused");
  return code === null ? "" : WORDS[code] ?? WORDS.sign_in_refused;
}

function tell(text) {
  byId("sign-in-problem").hidden = text === "";
  byId("sign-in-problem").textContent = text;
}
