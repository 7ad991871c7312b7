// Asks the user questions. A question returns the answer, or null if the user cancels.

import { byId } from "./dom.js";

/** Ask whether to do something that cannot be undone. */
export function confirmed(title, text, action) {
  return open({ title, text, action, danger: true });
}

/** Ask for a text. */
export function asked(title, label, value, action) {
  return open({ title, label, value, action });
}

/** Ask for a new password. */
export function askedPassword(title, action) {
  return open({ title, label: "New password, of 12 characters or more", action, type: "password", shortest: 12 });
}

function open({ title, text = "", action, label = null, value = "", danger = false, type = "text", shortest = 0 }) {
  const dialog = byId("dialog");
  const field = byId("dialog-field");
  const act = byId("dialog-action");
  byId("dialog-title").textContent = title;
  byId("dialog-text").textContent = text;
  byId("dialog-label").hidden = label === null;
  byId("dialog-label-text").textContent = label ?? "";
  field.required = label !== null;
  field.type = type;
  field.minLength = shortest;
  field.maxLength = type === "password" ? 1000 : 200;
  field.autocomplete = type === "password" ? "new-password" : "off";
  field.value = value;
  act.textContent = action;
  act.className = danger ? "danger" : "primary";
  dialog.returnValue = "";
  dialog.showModal();
  if (label === null) byId("dialog-cancel").focus();
  else field.select();
  return new Promise((resolve) => {
    const closed = () => {
      const typed = field.value;
      if (type === "password") field.value = "";
      resolve(dialog.returnValue === "yes" ? (label === null ? true : typed) : null);
    };
    dialog.addEventListener("close", closed, { once: true });
  });
}
