// The keys of the server: make, list, rotate and revoke them. A key is shown once, when it is made.

import { call } from "./api.js";
import { confirmed } from "./dialogs.js";
import { announce, byId, el } from "./dom.js";
import { attempt, chosenGalleries, fillGalleries, reach, redraw, when } from "./records.js";
import { may } from "./session.js";

const SCOPES = {
  identify: "identify",
  verify: "verify",
  embed: "get descriptors",
  enrol: "enrol",
  manage: "change and erase",
  cameras: "cameras",
  events: "sightings",
  audit: "audit log",
  metrics: "metrics",
  admin: "everything",
};

/** Let an admin look after keys; return what shows them. */
export function looksAfterKeys() {
  const boxes = Object.entries(SCOPES).filter(([scope]) => may(scope)).map(([scope, text]) =>
    el("label", {}, el("input", { type: "checkbox", value: scope }), text),
  );
  byId("new-key-scopes").append(...boxes);
  byId("new-key").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt("keys-problem", make);
  });
  return () => attempt("keys-problem", async () => {
    byId("made-key").replaceChildren();
    await fillGalleries("new-key-galleries");
    await list();
  });
}

async function make() {
  const scopes = [...byId("new-key-scopes").querySelectorAll(":checked")].map(({ value }) => value);
  if (!scopes.length) throw Object.assign(new Error("Choose what the key may do."), { code: "no scope" });
  const until = byId("new-key-expires").value;
  const made = await call("POST", "/v1/keys", {
    scopes,
    galleries: chosenGalleries("new-key-galleries"),
    expires_at: until ? new Date(`${until}T23:59:59`).getTime() / 1000 : null,
    note: byId("new-key-note").value,
  });
  byId("new-key").reset();
  await list();
  reveal(made);
}

/** Show a key, this once. */
function reveal({ key, note, id }) {
  const shown = el("code", { text: key, tabindex: 0, "aria-label": "the key" });
  const copy = el("button", { type: "button", text: "Copy", on: { click: () => copied(key, shown) } });
  const hide = el("button", { type: "button", class: "quiet", text: "I have it", on: { click: () => byId("made-key").replaceChildren() } });
  byId("made-key").replaceChildren(
    el("div", { class: "report good" }, el("p", { text: `The key ${note || id} is shown now and never again.` }), el("div", { class: "secret" }, shown, copy, hide)),
  );
  copy.focus();
}

async function copied(key, shown) {
  try {
    await navigator.clipboard.writeText(key);
  } catch {
    // Without TLS a browser has no clipboard for pages, but copies what is selected.
    getSelection().selectAllChildren(shown);
    document.execCommand("copy");
  }
  announce("The key is copied.");
}

async function list() {
  const { keys } = await call("GET", "/v1/keys");
  keys.sort((one, other) => (one.state !== "active") - (other.state !== "active") || other.created_at - one.created_at);
  redraw(byId("key-list"), "keys-title", keys.map(row));
}

function row(key) {
  const title = key.note || `${key.prefix}…`;
  const active = key.state === "active";
  const facts = [key.scopes.join(", "), reach(key), active ? `until ${key.expires_at === null ? "revoked" : when(key.expires_at)}` : key.state, `last used ${when(key.last_used)}`];
  const act = (text, label, click) => el("button", { type: "button", class: "quiet", "aria-label": `${label} the key ${title}`, on: { click: () => attempt("keys-problem", click) }, text });
  const actions = active ? [act("Rotate …", "Rotate", () => rotate(key, title)), act("Revoke …", "Revoke", () => revoke(key, title))] : [];
  return el(
    "li",
    { class: active ? "record" : "record ended", "data-id": key.id },
    el("div", {}, el("h3", { text: title }), el("p", { class: "note", text: `${key.prefix}… · ${facts.join(" · ")}` })),
    el("div", { class: "actions" }, ...actions),
  );
}

async function rotate(key, title) {
  const text = "You get a new key, which may do the same. The old one holds for another day.";
  if (!(await confirmed(`Rotate the key ${title}?`, text, "Rotate the key"))) return;
  const made = await call("POST", `/v1/keys/${key.id}/rotate`);
  await list();
  reveal(made);
}

async function revoke(key, title) {
  const text = "Whoever has it is refused from the next request on. It cannot be undone.";
  if (!(await confirmed(`Revoke the key ${title}?`, text, "Revoke the key"))) return;
  await call("DELETE", `/v1/keys/${key.id}`);
  await list();
}
