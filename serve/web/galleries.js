// Chooses, creates and erases galleries. The address holds the gallery's name, so it can be linked and survives a reload.

import { all, at, call } from "./api.js";
import { confirmed } from "./dialogs.js";
import { byId, count, el } from "./dom.js";

/**
 * Let the user choose a gallery.
 * @param {(gallery: ?object) => void} chosen is told the gallery, or null where there is none.
 */
export function chooseGallery(chosen) {
  const list = byId("galleries");
  const field = byId("new-gallery-name");
  const problem = byId("gallery-problem");
  let known = [];

  async function attempt(act) {
    problem.hidden = true;
    try {
      await act();
    } catch (error) {
      problem.textContent = `${error.message} (${error.code ?? "error in the page"})`;
      problem.hidden = false;
    }
  }

  async function load(wanted) {
    known = await all("/v1/galleries", "galleries");
    list.replaceChildren(...known.map(({ name }) => el("option", { value: name, text: name })));
    list.disabled = known.length === 0;
    choose(known.find(({ name }) => name === wanted) ?? known[0] ?? null);
  }

  function choose(gallery) {
    byId("erase-gallery").hidden = gallery === null;
    byId("keep-crops").hidden = gallery === null;
    if (gallery !== null) byId("keep-crops").textContent = gallery.keep_crops ? "Keep no pictures …" : "Keep pictures";
    if (gallery !== null) {
      list.value = gallery.name;
      history.replaceState(null, "", `#gallery=${encodeURIComponent(gallery.name)}`);
    }
    chosen(gallery);
  }

  const fromAddress = () => new URLSearchParams(location.hash.slice(1)).get("gallery");

  list.addEventListener("change", () => attempt(() => load(list.value)));
  window.addEventListener("hashchange", () => attempt(() => load(fromAddress())));
  byId("new-gallery").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      const made = await call("PUT", at(field.value));
      field.value = "";
      await load(made.name);
    });
  });
  byId("keep-crops").addEventListener("click", () =>
    attempt(async () => {
      const gallery = await call("GET", at(list.value));
      const text = "The pictures of faces that are kept are erased, and no more are kept. Everybody is recognised as before. It cannot be undone.";
      if (gallery.keep_crops && !(await confirmed("Keep no pictures of faces?", text, "Erase the pictures"))) return;
      await call("PATCH", at(gallery.name), { keep_crops: !gallery.keep_crops });
      await load(gallery.name);
    }),
  );
  byId("erase-gallery").addEventListener("click", () =>
    attempt(async () => {
      const gallery = await call("GET", at(list.value));
      const text = `${count(gallery.people, "person", "people")} with every descriptor and photo. It cannot be undone.`;
      if (!(await confirmed(`Erase the gallery ${gallery.name}?`, text, "Erase the gallery"))) return;
      await call("DELETE", at(gallery.name));
      await load(null);
    }),
  );
  attempt(() => load(fromAddress()));
}
