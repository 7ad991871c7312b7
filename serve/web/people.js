// Lists the people of a gallery, each with a row of aligned faces, to rename, enrol or erase.

import { all, at, call } from "./api.js";
import { asked, confirmed } from "./dialogs.js";
import { byId, count, el } from "./dom.js";
import { takesFiles } from "./drop.js";
import { enrolPhotos, report } from "./enrol.js";
import { may } from "./session.js";

const FACES = 12;
const FIND_FROM = 8;

/** The rows, of one gallery. */
export class People {
  #gallery = null;
  #changed;
  #near;
  #waiting = new WeakMap();

  /** @param {() => void} changed is called when people have changed. */
  constructor(changed) {
    this.#changed = changed;
    // Rows load their faces only when they come into view.
    this.#near = new IntersectionObserver((rows) => this.#reach(rows), { rootMargin: "200px" });
    byId("find").addEventListener("input", () => this.#find());
  }

  /** Show the people of a gallery, or none without a gallery. */
  async show(gallery) {
    this.#gallery = gallery;
    byId("enrol").hidden = gallery === null;
    if (gallery === null) {
      byId("people").replaceChildren();
      byId("people-note").textContent = "Create a gallery first.";
      return;
    }
    try {
      const people = await all(`${at(gallery.name)}/people`, "people");
      if (gallery !== this.#gallery) return;
      people.sort((one, other) => one.name.localeCompare(other.name));
      byId("people").replaceChildren(...people.map((person) => this.#row(person)));
      byId("people-note").textContent = people.length ? count(people.length, "person", "people") : "Nobody yet.";
      byId("find-label").hidden = people.length < FIND_FROM;
      this.#find();
    } catch (error) {
      byId("people-note").textContent = `${error.message} (${error.code})`;
    }
  }

  #find() {
    const wanted = byId("find-label").hidden ? "" : byId("find").value.trim().toLocaleLowerCase();
    for (const row of byId("people").children) row.hidden = !row.dataset.name.toLocaleLowerCase().includes(wanted);
  }

  #row(person) {
    const faces = el("div", { class: "faces" });
    const said = el("div", { "aria-live": "polite" });
    const field = el("input", { type: "file", multiple: true, accept: "image/*,.tif,.tiff,.mpo", class: "away", "aria-label": `Add photos of ${person.name}` });
    const act = (text, label, click) => el("button", { type: "button", class: "quiet", "aria-label": `${label} ${person.name}`, on: { click }, text });
    const made = el(
      "li",
      { class: "person", "data-name": person.name, "data-id": person.id },
      el("div", { class: "who" }, el("h3", { text: person.name }), el("span", { class: "note", text: count(person.photos, "photo") })),
      faces,
      el(
        "div",
        { class: "actions" },
        el("label", { class: "button quiet" }, field, "Add photos"),
        act("Rename", "Rename", () => this.#try(said, () => this.#rename(person))),
        ...(may("manage") ? [act("Erase …", "Erase", () => this.#try(said, () => this.#erase(person)))] : []),
      ),
      said,
    );
    takesFiles(made, (files) => this.#try(said, () => this.#enrol(person, files, said)));
    this.#waiting.set(made, () => this.#faces(person, faces));
    this.#near.observe(made);
    return made;
  }

  #reach(rows) {
    for (const { isIntersecting, target } of rows) {
      if (!isIntersecting) continue;
      this.#near.unobserve(target);
      this.#waiting.get(target)();
    }
  }

  async #faces(person, place, from = 0) {
    const { photos } = await call("GET", `${at(this.#gallery.name, person.id)}/photos`).catch(() => ({ photos: [] }));
    const more = photos.length - from - FACES;
    place.querySelector(".more")?.remove();
    place.append(...photos.slice(from, from + FACES).map(({ id }) => this.#face(person, id)));
    if (more > 0) place.append(el("button", { type: "button", class: "more quiet", text: `+${more}`, "aria-label": `Show ${more} more photos of ${person.name}`, on: { click: () => this.#faces(person, place, from + FACES) } }));
  }

  #face(person, id) {
    // A gallery may keep no pictures, but it still has the samples.
    const picture = this.#gallery.keep_crops
      ? el("img", { src: at(this.#gallery.name, person.id, id), alt: "", loading: "lazy", width: 64, height: 64 })
      : el("span", { class: "unseen", text: "not kept" });
    if (!may("manage")) return el("span", { class: "face" }, picture);
    const label = `Erase this photo of ${person.name}`;
    const made = el("button", { type: "button", class: "face", title: "Erase this photo …", "aria-label": label }, picture);
    made.addEventListener("click", () => this.#eraseFace(person, id, made));
    return made;
  }

  async #eraseFace(person, id, face) {
    const said = face.closest(".person").lastElementChild;
    await this.#try(said, async () => {
      if (!(await confirmed(`Erase this photo of ${person.name}?`, "Its descriptor and its picture. It cannot be undone.", "Erase the photo"))) return;
      await call("DELETE", at(this.#gallery.name, person.id, id));
      await this.#changed();
    });
  }

  async #rename(person) {
    const name = await asked("Rename", "Name", person.name, "Rename");
    if (name === null || name === person.name) return;
    await call("PATCH", at(this.#gallery.name, person.id), { name });
    await this.#changed();
  }

  async #erase(person) {
    const text = `${count(person.photos, "photo")} with every descriptor. It cannot be undone.`;
    if (!(await confirmed(`Erase ${person.name}?`, text, "Erase the person"))) return;
    await call("DELETE", at(this.#gallery.name, person.id));
    await this.#changed();
  }

  async #enrol(person, files, said) {
    said.replaceChildren(el("p", { class: "note waiting", text: `enrolling ${count(files.length, "photo")} …` }));
    const done = await enrolPhotos(this.#gallery, person, files);
    byId("enrol-report").replaceChildren();
    await this.#changed();
    const row = [...byId("people").children].find((each) => each.dataset.id === person.id);
    row?.lastElementChild.replaceChildren(report(person.name, done));
  }

  async #try(said, act) {
    try {
      await act();
    } catch (error) {
      said.replaceChildren(el("p", { class: "problem", text: `${error.message} (${error.code ?? "error in the page"})` }));
    }
  }
}
