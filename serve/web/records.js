// What the lists of keys and of users have in common.

import { all } from "./api.js";
import { byId, el } from "./dom.js";

/** Return a time as this browser writes it; "never" for none. */
export const when = (seconds) => (seconds === null ? "never" : new Date(1000 * seconds).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));

/** Return the words for what a key or a user is limited to. */
export function reach({ galleries, cameras }) {
  const parts = [galleries === null ? "all galleries" : `only ${galleries.join(", ")}`];
  if (cameras !== null) parts.push(`cameras ${cameras.join(", ")}`);
  return parts.join(" · ");
}

/** Fill a field with the names of all galleries. */
export async function fillGalleries(id) {
  const names = (await all("/v1/galleries", "galleries")).map(({ name }) => name);
  byId(id).replaceChildren(...names.map((name) => el("option", { value: name, text: name })));
  byId(id).parentElement.hidden = names.length === 0;
}

/** Return what is chosen in such a field; null for none, which is all. */
export function chosenGalleries(id) {
  const chosen = [...byId(id).selectedOptions].map(({ value }) => value);
  return chosen.length ? chosen : null;
}

/** Do something, and show what is wrong. */
export async function attempt(id, act) {
  const problem = byId(id);
  problem.hidden = true;
  try {
    await act();
  } catch (error) {
    problem.textContent = `${error.message} (${error.code ?? "error in the page"})`;
    problem.hidden = false;
  }
}

/** Show the rows of a list anew; who used a button of it stays there, or is brought to the view's heading. */
export function redraw(list, heading, rows) {
  const used = list.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  list.replaceChildren(...rows);
  if (used === null) return;
  const again = [...list.querySelectorAll("button, select")].find((each) => each.getAttribute("aria-label") === used);
  (again ?? byId(heading)).focus();
}
