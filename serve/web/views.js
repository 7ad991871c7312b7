// Shows one of the page's views: faces, keys, users.

import { byId } from "./dom.js";

const VIEWS = ["faces", "keys", "users"];

/**
 * Let the user choose a view, and show the first one.
 * @param {Record<string, () => void>} shown is called for a view each time it is shown.
 */
export function chooseView(shown) {
  const buttons = [...byId("views").querySelectorAll("button")];
  const show = (view) => {
    for (const each of VIEWS) byId(each).hidden = each !== view;
    for (const each of buttons) {
      if (each.dataset.view === view) each.setAttribute("aria-current", "page");
      else each.removeAttribute("aria-current");
    }
    shown[view]?.();
  };
  for (const each of buttons) {
    each.addEventListener("click", () => {
      show(each.dataset.view);
      byId(`${each.dataset.view}-title`)?.focus();
    });
  }
  byId("views").hidden = buttons.filter((each) => !("denied" in each.dataset)).length < 2;
  show("faces");
}
