// The users of the server: add, list and change them.

import { call } from "./api.js";
import { askedPassword, confirmed } from "./dialogs.js";
import { announce, byId, el } from "./dom.js";
import { attempt, chosenGalleries, fillGalleries, reach, redraw, when } from "./records.js";

const ROLES = ["viewer", "editor", "admin"];
const at = (name) => `/v1/users/${encodeURIComponent(name)}`;

/** Let an admin look after users; return what shows them. */
export function looksAfterUsers() {
  byId("new-user").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt("users-problem", add);
  });
  return () => attempt("users-problem", async () => {
    await fillGalleries("new-user-galleries");
    await list();
  });
}

async function add() {
  const made = await call("POST", "/v1/users", {
    name: byId("new-user-name").value,
    password: byId("new-user-password").value,
    role: byId("new-user-role").value,
    galleries: chosenGalleries("new-user-galleries"),
  });
  byId("new-user").reset();
  announce(`${made.name} is added.`);
  await list();
}

async function list() {
  const { users } = await call("GET", "/v1/users");
  redraw(byId("user-list"), "users-title", users.map(row));
}

function row(user) {
  const active = user.state === "active";
  const facts = [reach(user), ...(active ? [] : ["disabled"]), `last used ${when(user.last_used)}`];
  const act = (text, label, click) => el("button", { type: "button", class: "quiet", "aria-label": `${label} ${user.name}`, on: { click: () => attempt("users-problem", click) }, text });
  const role = el("select", { "aria-label": `Role of ${user.name}` }, ...ROLES.map((each) => el("option", { text: each, selected: each === user.role })));
  role.addEventListener("change", () => attempt("users-problem", () => change(user, { role: role.value }, `${user.name} is ${role.value} now.`)));
  return el(
    "li",
    { class: active ? "record" : "record ended", "data-name": user.name },
    el("div", {}, el("h3", { text: user.name }), el("p", { class: "note", text: facts.join(" · ") })),
    el(
      "div",
      { class: "actions" },
      role,
      act("Password …", "Set the password of", () => password(user)),
      act(active ? "Disable" : "Enable", active ? "Disable" : "Enable", () => change(user, { disabled: active }, `${user.name} is ${active ? "disabled" : "enabled"}.`)),
      act("Remove …", "Remove", () => remove(user)),
    ),
  );
}

async function change(user, body, said) {
  try {
    await call("PATCH", at(user.name), body);
    announce(said);
  } finally {
    await list();
  }
}

async function password(user) {
  const typed = await askedPassword(`A new password for ${user.name}`, "Set the password");
  if (typed !== null) await change(user, { password: typed }, "The password is set. Other sessions have ended.");
}

async function remove(user) {
  const text = "Their sessions end. What they have made stays.";
  if (!(await confirmed(`Remove ${user.name}?`, text, "Remove the user"))) return;
  await call("DELETE", at(user.name));
  await list();
}
